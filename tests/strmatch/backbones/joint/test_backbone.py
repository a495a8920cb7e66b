"""Whole tiny models of Wan and CogVideoX: from a folder to gradients, against diffusers."""

import itertools
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import CogVideoXPipeline, WanPipeline

from jobs.benchmark.memory import peak_bytes
from strmatch import STRMatch, load_backbone
from strmatch.attention import JointChoice, MapChoice
from strmatch.baselines.dmt import DMT
from strmatch.baselines.flowedit import FlowEdit
from strmatch.baselines.sdedit import SDEdit
from strmatch.baselines.uniedit import UniEdit
from strmatch.matching import Matcher
from strmatch.regions import Region, latent_masks, region_texts
from strmatch.sampling.fusion import clip_windows
from strmatch.weights.errors import WeightsError
from tests.strmatch.backbones.joint.tiny import PARTS, SETTINGS, save_joint, tiny_joint

SOURCE, TARGET = "a red circle  moving right ", "a blue square moving right"
PIPELINES = {"wan": WanPipeline, "cogvideox": CogVideoXPipeline}
CHOICE = MapChoice((1, 2), mean_heads=True)


@pytest.fixture(scope="module", params=PARTS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    folder = tmp_path_factory.mktemp(name)
    save_joint(name, folder)
    return folder


@pytest.fixture(scope="module")
def backbone(folder):
    return load_backbone(folder, settings=SETTINGS, num_frames=9)


@pytest.fixture(scope="module")
def pipeline(name, backbone):
    """The pipeline of diffusers on the same parts."""
    parts = ("transformer", "vae", "text_encoder", "tokenizer")
    scheduler = backbone.scheduler
    return PIPELINES[name](scheduler=scheduler, **{each: getattr(backbone, each) for each in parts})


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (7, 32, 48, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def latents(backbone, frames):
    return backbone.encode(frames)


def test_clips_fill_latent_frames_of_four(backbone, frames, latents):
    assert latents.shape == (1, 4, 3, 4, 6)
    assert [backbone.latent_frames(count) for count in (1, 2, 5, 6, 9, 81)] == [1, 2, 2, 3, 3, 21]
    assert backbone.num_frames == 3
    longer = np.concatenate([frames, frames[-1:], frames[-1:]])
    assert torch.equal(backbone.encode(longer), latents)
    decoded = backbone.decode(latents)
    assert decoded.shape == (9, 32, 48, 3) and decoded.std() > 0
    with pytest.raises(ValueError, match="multiples of 16, got 40×48"):
        backbone.encode(np.zeros((5, 40, 48, 3), np.uint8))


def test_strides_of_windows_are_frames_of_the_clip(backbone):
    latents = torch.zeros(1, 4, 5, 4, 6)  # 17 frames, windows of 9
    for stride, starts in ((4, [0, 1, 2]), (8, [0, 2]), (12, [0, 2]), (None, [0, 1, 2])):
        settings = replace(SETTINGS, window_stride=stride)
        windows = clip_windows(latents, backbone, settings)
        assert [window.start for window in windows] == starts
        assert {window.stop - window.start for window in windows} == {3}
    for stride in (2, 6, 16):
        with pytest.raises(
            ValueError, match=f"from 4 to 12, a window, in steps of 4, got {stride}"
        ):
            clip_windows(latents, backbone, replace(SETTINGS, window_stride=stride))


def test_conditions_equal_those_of_the_pipeline(name, backbone, pipeline):
    length = {"wan": 512, "cogvideox": 226}[name]
    expected, empty = pipeline.encode_prompt(SOURCE, max_sequence_length=length)
    torch.testing.assert_close(backbone.embed(SOURCE), expected, rtol=0, atol=0)
    torch.testing.assert_close(backbone.embed(""), empty, rtol=0, atol=0)
    assert backbone.unread(SOURCE) is None
    assert backbone.unread("red " * (length + 2)) == "red red red"


def test_words_that_are_left_out_read_as_padding(name, backbone):
    """Positions are those of the tokens; Wan's prompts are cleaned before they are tokenised."""
    prompt = "a red &amp; circle  moving right" if name == "wan" else "a red circle moving right"
    whole = backbone.embed(prompt)
    both = [Region(None, "red"), Region(None, "circle")]
    part = region_texts(both, prompt, backbone.embed, backbone.token_positions)[:1]
    (changed,) = (whole != part).any(dim=2).nonzero()[:, 1:]
    ids = backbone.tokenizer(prompt.replace("&amp;", "&")).input_ids
    assert ids[changed] == backbone.tokenizer("circle").input_ids[0]
    assert torch.equal(part[0, changed], whole[0, -1:])
    assert torch.equal(backbone.embed(prompt), whole)


def test_a_prediction_and_its_decoding_equal_those_of_the_pipeline(name, backbone, pipeline):
    """The pipeline's only step with a scheduler that returns the prediction itself."""
    torch.manual_seed(1)
    noise, text = torch.randn(1, 4, 3, 4, 6), backbone.embed(SOURCE)
    seen = {}

    def keep(output, t, *args, **kwargs):
        seen.update(output=output, t=t)
        return (kwargs.get("sample", args[0]),)

    pipeline.scheduler.step, original = keep, pipeline.scheduler.step
    try:
        decoded = pipeline(
            SOURCE,
            height=32,
            width=48,
            num_frames=9,
            num_inference_steps=1,
            guidance_scale=1.0,
            latents=noise if name == "wan" else noise.transpose(1, 2),
            output_type="np",
        ).frames[0]
    finally:
        pipeline.scheduler.step = original
    expected = seen["output"] if name == "wan" else seen["output"].transpose(1, 2)
    ours = backbone.predict(noise, int(seen["t"]), text)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
    ours = backbone.decode(noise)
    assert np.abs(ours.astype(int) - np.round(decoded * 255).astype(int)).max() <= 1


def test_recorded_passes_predict_the_same_and_all_forms_of_maps_are_whole(backbone, latents):
    text = backbone.embed(SOURCE)
    output, maps = backbone.predict_with_maps(latents, 500, text, CHOICE)
    assert torch.equal(output, backbone.predict(latents, 500, text))
    assert [each.spatial.shape for each in maps] == [(3, 1, 6, 6)] * 2
    assert [each.temporal.shape for each in maps] == [(6, 1, 3, 3)] * 2
    for each, other in zip(backbone.attention_maps(latents, 500, text, CHOICE), maps, strict=True):
        torch.testing.assert_close(each, other, rtol=0, atol=1e-6)
    middle = backbone.attention_maps(latents, 500, text, MapChoice(mean_heads=True))
    torch.testing.assert_close(middle, maps[:1])  # of four blocks, block 1 is the middle third
    for joint, heads in ((JointChoice(separated=True), 1), (JointChoice("direct"), 2)):
        choice = MapChoice((1,), joint=joint)
        (found,) = backbone.attention_maps(latents, 500, text, choice)
        assert found[0].shape == (3, heads, 6, 6)


def test_unknown_blocks_and_a_second_temporal_attention_are_refused(backbone):
    with pytest.raises(ValueError, match="the transformer has the blocks 0 to 3, not 4"):
        backbone.check_choice(MapChoice((1, 4)))
    with pytest.raises(ValueError, match="temporal_attention: .* 'mean' cannot be taken"):
        backbone.check_choice(MapChoice(temporal="mean"))


def test_masks_have_the_rate_of_the_latents(backbone, latents):
    mask = np.zeros((7, 32, 48), bool)
    mask[3, 8:16, 24:32] = True
    mask[6, :8, :8] = True
    (found,) = latent_masks([Region(mask, TARGET)], backbone, latents, dilation=1)
    expected = torch.zeros(1, 3, 4, 6, dtype=torch.bool)
    expected[0, 1, 1, 3] = expected[0, 2, 0, 0] = True
    assert torch.equal(found, expected)
    for count in (5, 10):
        wrong = np.zeros((count, 32, 48), bool)
        with pytest.raises(ValueError, match=r"mask must be bool \(f, H, W\) = \(9, 32, 48\)"):
            latent_masks([Region(wrong, TARGET)], backbone, latents, dilation=1)


@pytest.fixture
def exact(name, monkeypatch):
    """The model in float64, where diffusers computes norms and modulation in float32."""
    monkeypatch.setattr(torch.Tensor, "float", lambda tensor: tensor)
    return tiny_joint(name)


FORMS = {
    "renormalised": {},
    "joint map": {"slices": "joint", "temporal_neighbourhood": 3},
    "direct": {"slices": "direct"},
    "separated heads": {"heads": "separated"},
}


@pytest.mark.parametrize("form", FORMS)
def test_descent_lowers_the_loss_along_a_gradient_that_equals_finite_differences(exact, form):
    torch.manual_seed(2)
    wanted, z = torch.randn(2, 1, 4, 3, 4, 4, dtype=torch.float64)
    matcher = Matcher(exact, replace(SETTINGS, **FORMS[form]), lean=form == "renormalised")
    features = matcher.features(wanted, 251, exact.embed(SOURCE))
    target = exact.embed(TARGET)

    def descended(z):
        return matcher.loss_and_gradient(z, 251, [target], features)

    _, gradient = descended(z)
    direction = torch.randn_like(z)
    slope = (descended(z + 1e-6 * direction)[0] - descended(z - 1e-6 * direction)[0]) / 2e-6
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-4, atol=0)
    losses = []
    for _ in range(4):
        loss, gradient = descended(z)
        losses.append(loss.item())
        z = z - 0.01 * gradient / gradient.norm()
    assert all(after < before for before, after in itertools.pairwise(losses))


@pytest.mark.parametrize("lean", [False, True], ids=["kept", "recomputed"])
def test_memory_of_a_score_pass_grows_with_the_frames_and_not_with_their_square(name, lean):
    backbone = tiny_joint(name, torch.float32)
    matcher = Matcher(backbone, SETTINGS, lean)
    target = backbone.embed(TARGET)
    peaks = []
    for frames, size in ((4, 16), (8, 16), (16, 16), (4, 32)):
        latents, source = torch.randn(2, 1, 4, frames, size, size)
        features = matcher.features(source, 251, target)

        def score_pass(latents=latents, features=features):
            matcher.loss_and_gradient(latents, 251, [target], features)

        peaks.append(peak_bytes(score_pass))
    few, more, many, large = peaks
    assert more < 2.2 * few and many < 2.2 * more
    assert large < 16 * few  # four times the positions of a frame


@pytest.fixture(scope="module")
def editor(backbone):
    return STRMatch(backbone)


def test_an_inverted_clip_is_edited_inside_its_mask(editor, frames):
    inversion = editor.invert(frames, SOURCE)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 8:24, 16:32] = True
    result = editor.edit(inversion, TARGET, mask=mask, mask_dilation=1, lam=0.5)
    assert result.frames.shape == frames.shape
    (editable,) = latent_masks([Region(mask, TARGET)], editor.backbone, inversion.latents[0], 1)
    outside = ~editable.expand_as(result.latents[0])
    assert torch.equal(result.latents[0][outside], inversion.latents[0][0][outside])
    assert not torch.allclose(result.latents[0][~outside], inversion.latents[0][0][~outside])


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_matching_lowers_the_loss_of_an_edit_below_that_of_plain_inversion(editor, frames, masked):
    inversion = editor.invert(frames, SOURCE)
    mask = None
    if masked:
        mask = np.zeros(frames.shape[:3], bool)
        mask[:, 8:] = True
    losses = {0.0: [], 30.0: []}
    for lam, seen in losses.items():
        editor.edit(
            inversion,
            TARGET,
            mask=mask,
            mask_dilation=1,
            lam=lam,
            guidance_scale=15.0,
            callback=lambda info, seen=seen: seen.append(info["loss"]),
        )
    plain, matched = losses.values()
    assert matched[0] == plain[0]
    assert sum(matched) < sum(plain) - 1e-4


def test_baselines_that_need_a_unet_are_refused(backbone):
    for method in (DMT, UniEdit):
        with pytest.raises(TypeError, match="backbone must be .*UNetBackbone, got "):
            method(backbone)


@pytest.mark.parametrize("method", [SDEdit, FlowEdit])
def test_other_baselines_edit_inside_a_mask_and_keep_the_number_of_frames(method, backbone, frames):
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 8:24, 16:32] = True
    editor = method(backbone)
    inversion = editor.invert(frames, SOURCE)
    result = editor.edit(inversion, TARGET, mask=mask)
    assert result.frames.shape == frames.shape
    regions, dilation = [Region(mask, TARGET)], editor.settings.mask_dilation
    (editable,) = latent_masks(regions, backbone, inversion.latents, dilation)
    outside = ~editable.expand_as(result.latents[0])
    assert torch.equal(result.latents[0][outside], inversion.latents[0][outside])
    assert not torch.allclose(result.latents[0][~outside], inversion.latents[0][~outside])


def test_folders_with_missing_or_unknown_parts_are_refused_in_one_line(folder, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    config = broken / "transformer" / "config.json"
    config.write_text(config.read_text().replace("Transformer3DModel", "Other3DModel"))
    with pytest.raises(WeightsError, match="transformer/config.json: _class_name must be one of"):
        load_backbone(broken)
    shutil.rmtree(broken / "vae")
    with pytest.raises(WeightsError, match="is no model folder: it has no vae/"):
        load_backbone(broken)
