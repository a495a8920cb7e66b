import dataclasses
import itertools
import re

import numpy as np
import pytest
import torch

from strmatch import STRMatch
from strmatch.attention import MapChoice
from strmatch.guidance import guided_prediction
from strmatch.masks import latent_mask
from strmatch.matching import Matcher
from strmatch.sampling.solver import denoise
from tests.strmatch.tiny import FRAMES, SETTINGS, tiny_backbone

SOURCE, TARGET = "a red circle moving right", "a blue square moving right"
SIZE = 16

both_predictions = pytest.mark.parametrize(
    "editor", ["epsilon", "v_prediction"], indirect=True, scope="module"
)


@pytest.fixture(scope="module")
def editor(request):
    return STRMatch(tiny_backbone(getattr(request, "param", "epsilon")))


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def inversion(editor, frames):
    return editor.invert(frames, SOURCE)


@pytest.fixture
def mask():
    mask = np.zeros((FRAMES, SIZE, SIZE), dtype=bool)
    mask[:, :4, :4] = True
    return mask


@both_predictions
def test_inversion_keeps_the_latents_of_every_level(editor, inversion, frames):
    assert inversion.latents.shape == (5, 1, 4, FRAMES, SIZE // 4, SIZE // 4)
    assert torch.equal(inversion.latents[0], editor.backbone.encode(frames))
    assert inversion.schedule.timesteps == (0, 1, 251, 501, 751)


@both_predictions
def test_every_gradient_step_decreases_the_loss(editor, inversion):
    """Checked with a small λ at the latents of every step of an edit."""
    backbone, matcher = editor.backbone, Matcher(editor.backbone, SETTINGS)
    source, target = backbone.embed(SOURCE), backbone.embed(TARGET)
    visited = [inversion.latents[-1]]
    records = []

    def callback(info):
        records.append(info)
        visited.append(info["latents"])

    lam = 1e-4
    editor.edit(inversion, TARGET, lam=lam, callback=callback)
    assert [info["step"] for info in records] == [0, 1, 2, 3]
    assert [info["timestep"] for info in records] == [751, 501, 251, 1]
    for info, z, z_source in zip(records, visited, inversion.latents.flip(0), strict=False):
        wanted = matcher.features(z_source, info["timestep"], source)
        before, gradient = matcher.loss_and_gradient(z, info["timestep"], [target], wanted)
        after, _ = matcher.loss_and_gradient(z - lam * gradient, info["timestep"], [target], wanted)
        assert info["loss"] == pytest.approx(before.item(), rel=1e-12)
        assert info["grad_norm"] == pytest.approx(gradient.norm().item(), rel=1e-9)
        assert info["grad_norm"] > 0
        assert after < before


def test_the_gradient_equals_finite_differences(editor, inversion):
    matcher = Matcher(editor.backbone, SETTINGS)
    embed = editor.backbone.embed
    wanted = matcher.features(inversion.latents[2], 251, embed(SOURCE))
    z = inversion.latents[1]
    direction = torch.randn_like(z)
    _, gradient = matcher.loss_and_gradient(z, 251, [embed(TARGET)], wanted)
    losses = [
        matcher.loss_and_gradient(z + step * direction, 251, [embed(TARGET)], wanted)[0]
        for step in (1e-5, -1e-5)
    ]
    slope = (losses[0] - losses[1]) / 2e-5
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-4, atol=1e-7)


@both_predictions
def test_source_and_target_are_scored_at_the_same_timestep(editor, inversion):
    """The first step starts at the source's z_T, so the source prompt gives a perfect match."""
    records = []
    editor.edit(inversion, SOURCE, lam=0.0, callback=records.append)
    cosines = 0
    for maps in editor.backbone.attention_maps(
        inversion.latents[-1], 751, editor.backbone.embed(SOURCE), MapChoice(SETTINGS.scored_levels)
    ):
        cosines += FRAMES * maps.spatial.shape[-1]
    assert records[0]["loss"] == pytest.approx(-cosines, rel=1e-12)
    assert records[0]["grad_norm"] == pytest.approx(0, abs=1e-8)


@both_predictions
def test_guidance_has_no_effect_if_target_and_source_prompt_are_equal(editor, inversion):
    results = [
        editor.edit(inversion, SOURCE, lam=0.0, guidance_scale=scale).latents
        for scale in (1.0, 7.5, 30.0)
    ]
    embedding = editor.backbone.embed(SOURCE)
    plain = denoise(
        lambda z, t: editor.backbone.predict(z, t, embedding),
        inversion.latents[-1],
        inversion.schedule,
    )
    for result in results:
        assert torch.equal(result, plain)


@both_predictions
def test_the_default_negative_prompt_is_the_source_prompt(editor, inversion):
    """Compares one step with its formula, for the default and for another negative prompt."""
    backbone, schedule = editor.backbone, inversion.schedule
    z, level = inversion.latents[-1], schedule.num_steps
    for negative in (None, "green stripes"):
        first = []
        editor.edit(
            inversion,
            TARGET,
            lam=0.0,
            negative_prompt=negative,
            callback=lambda info, first=first: first.append(info["latents"]),
        )
        conditional = backbone.predict(z, 751, backbone.embed(TARGET))
        unconditional = backbone.predict(z, 751, backbone.embed(negative or SOURCE))
        noise = unconditional + 3.0 * (conditional - unconditional)
        a, b = schedule.alphas[level], schedule.alphas[level - 1]
        clean = (z - (1 - a**2) ** 0.5 * noise) / a
        torch.testing.assert_close(first[0], b * clean + (1 - b**2) ** 0.5 * noise)


def test_latents_outside_the_mask_equal_the_source(editor, inversion, mask):
    latents = []
    result = editor.edit(
        inversion, TARGET, mask=mask, callback=lambda info: latents.append(info["latents"])
    )
    inside = latent_mask(torch.from_numpy(mask), SIZE // 4, SIZE // 4).expand_as(result.latents)
    assert 0 < inside.sum() < inside.numel()
    for z, z_source in zip(latents, inversion.latents.flip(0)[1:], strict=True):
        assert torch.equal(z[~inside], z_source[~inside])
        assert not torch.equal(z[inside], z_source[inside])
    assert torch.equal(result.latents, latents[-1])
    assert result.frames.shape == (FRAMES, SIZE, SIZE, 3)
    assert result.frames.dtype == np.uint8


def visited(editor, inversion, **settings):
    """Latents after each step."""
    latents = []
    editor.edit(
        inversion, TARGET, callback=lambda info: latents.append(info["latents"]), **settings
    )
    return latents


@both_predictions
def test_steps_after_the_matched_share_only_denoise(editor, inversion):
    none, half, whole = (
        visited(editor, inversion, lam=0.1, matched_share=share) for share in (0.0, 0.5, 1.0)
    )
    assert torch.equal(half[1], whole[1]) and not torch.equal(half[2], whole[2])
    schedule, backbone = inversion.schedule, editor.backbone
    source, target = backbone.embed(SOURCE), backbone.embed(TARGET)
    for start, end, levels in ((half[1], half[3], (2, 1)), (inversion.latents[4], none[1], (4, 3))):
        z = start
        for level in levels:
            epsilon = guided_prediction(
                backbone, z, schedule.timesteps[level], source, target, SETTINGS.guidance_scale
            )
            z = schedule.step(z, epsilon, level, level - 1)
        torch.testing.assert_close(z, end, rtol=0, atol=1e-9)


def test_steps_after_the_guided_share_use_the_target_prompt_alone(editor, inversion):
    half, whole = (visited(editor, inversion, lam=0.0, guided_share=share) for share in (0.5, 1.0))
    assert torch.equal(half[1], whole[1]) and not torch.equal(half[2], whole[2])
    schedule, z = inversion.schedule, half[1]
    target = editor.backbone.embed(TARGET)
    for level in (2, 1):
        epsilon = editor.backbone.predict(z, schedule.timesteps[level], target)
        z = schedule.step(z, epsilon, level, level - 1)
    torch.testing.assert_close(z, half[3], rtol=0, atol=1e-9)


def test_an_edit_is_deterministic_and_keeps_the_inversion_unchanged(editor, inversion, mask):
    before = inversion.latents.clone()
    first, second = (editor.edit(inversion, TARGET, mask=mask) for _ in range(2))
    assert np.array_equal(first.frames, second.frames)
    assert torch.equal(inversion.latents, before)


def test_every_open_choice_changes_the_edit(editor, frames):
    inversion = editor.invert(frames, SOURCE, num_inference_steps=2)
    results = []
    for heads, cosine, reduction in itertools.product(
        ("mean", "paired"), ("row", "layer"), ("sum", "mean")
    ):
        choice = {"heads": heads, "cosine": cosine, "reduction": reduction}
        results.append(editor.edit(inversion, TARGET, lam=1.0, **choice).latents)
    for choice in (
        {"cosine": "all"},
        {"scored_halves": "both"},
        {"radius": 2},
        {"scored_levels": None},
        {"objective": "concatenated_maps"},
    ):
        results.append(editor.edit(inversion, TARGET, lam=1.0, **choice).latents)
    for a, b in itertools.combinations(results, 2):
        assert not torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_completely_fresh_start_depends_on_the_source_through_matching_only(
    editor, inversion, frames
):
    other = editor.invert(frames[:, ::-1].copy(), SOURCE)

    def distance(**choice):
        one, another = (editor.edit(clip, TARGET, **choice).latents for clip in (inversion, other))
        return (one - another).abs().max()

    assert distance(lam=0.0) > 1e-3
    assert distance(lam=0.0, fresh_share=1.0) == 0
    assert distance(lam=1.0, fresh_share=1.0) > 1e-6


def test_overridden_inversion_settings_repeat_the_inversion(editor, inversion, frames):
    for choice in (
        {"num_inference_steps": 3},
        {"inversion_label": "current"},
        {"noised_until": 500},
        {"inversion_refinements": 1},
    ):
        actual = editor.edit(inversion, TARGET, **choice)
        expected = editor.edit(editor.invert(frames, SOURCE, **choice), TARGET)
        assert torch.equal(actual.latents, expected.latents)
        assert actual.settings == expected.settings


@pytest.mark.parametrize(("label", "own_passes"), [("current", 1), ("next", 4)])
def test_source_scores_are_computed_once_and_reused_by_all_edits(editor, frames, label, own_passes):
    """With label "current", only the noisiest of four levels needs a separate pass."""
    backbone = editor.backbone

    def passes(work):
        seen = []
        handle = backbone.unet.register_forward_pre_hook(lambda *_: seen.append(1))
        result = work()
        handle.remove()
        return len(seen), result

    count, inversion = passes(lambda: editor.invert(frames, SOURCE, inversion_label=label))
    assert count == 4
    first, one = passes(lambda: editor.edit(inversion, TARGET))
    second, another = passes(lambda: editor.edit(inversion, TARGET))
    assert (first, second) == (4 * 2 + own_passes, 4 * 2)
    assert torch.equal(one.latents, another.latents)

    frugal = STRMatch(backbone, editor.settings)
    frugal._feature_bytes = 0
    count, bare = passes(lambda: frugal.invert(frames, SOURCE, inversion_label=label))
    assert count == 4 and not bare.features
    count, again = passes(lambda: frugal.edit(bare, TARGET))
    assert count == 4 * 3 and not bare.features
    torch.testing.assert_close(again.latents, one.latents, rtol=0, atol=1e-10)


@pytest.mark.parametrize("label", ["current", "next"])
def test_edits_that_share_an_inversion_equal_separate_edits(editor, frames, label):
    settings = {"inversion_label": label, "num_inference_steps": 2}
    shared = editor.invert(frames, SOURCE, **settings)
    for target in (TARGET, "a green star moving left", "a red circle", SOURCE):
        alone = editor.edit(editor.invert(frames, SOURCE, **settings), target)
        assert torch.equal(editor.edit(shared, target).latents, alone.latents)


def test_a_lean_edit_equals_a_normal_one_and_caches_no_scores(editor, frames):
    lean = STRMatch(editor.backbone, memory="lean")
    inversion = lean.invert(frames, SOURCE, inversion_label="current")
    actual = lean.edit(inversion, TARGET, lam=1.0).latents
    assert not inversion.features
    expected = editor.edit(inversion, TARGET, lam=1.0).latents
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)


def test_the_score_cache_respects_its_size_limit(editor, frames):
    one_level = next(
        iter(editor.invert(frames, SOURCE, inversion_label="current").features.values())
    )
    room = int(2.5 * sum(tensor.nbytes for tensor in one_level))
    narrow = STRMatch(editor.backbone)
    narrow._feature_bytes = room
    inversion = narrow.invert(frames, SOURCE, inversion_label="current")
    assert len(inversion.features) == 2


def test_edits_with_other_features_ignore_cached_ones(editor, frames):
    settings = {"inversion_label": "current", "lam": 1.0, "num_inference_steps": 2}
    inversion = editor.invert(frames, SOURCE, **settings)
    for choice in ({"radius": 2}, {"heads": "paired"}, {"scored_levels": [1]}):
        fresh = editor.invert(frames, SOURCE, **settings | choice)
        expected = editor.edit(fresh, TARGET, lam=1.0, **choice)
        actual = editor.edit(inversion, TARGET, lam=1.0, **choice)
        torch.testing.assert_close(actual.latents, expected.latents, rtol=0, atol=1e-10)


def test_errors_name_the_wrong_argument(editor, inversion, frames, mask):
    with pytest.raises(ValueError, match=r"frames must be uint8 \(f, H, W, 3\), got float64"):
        editor.invert(frames / 255, SOURCE)
    with pytest.raises(ValueError, match="multiples of 4, got 14×16"):
        editor.invert(frames[:, :14], SOURCE)
    with pytest.raises(ValueError, match=r"mask must be bool .* = \(4, 16, 16\)"):
        editor.edit(inversion, TARGET, mask=mask[:2])
    with pytest.raises(ValueError, match="lam must be ≥ 0"):
        editor.edit(inversion, TARGET, lam=-1.0)
    with pytest.raises(ValueError, match=r"guided_share must be from 0 to 1, got 1\.5"):
        editor.edit(inversion, TARGET, guided_share=1.5)
    with pytest.raises(ValueError, match="noised_until must be ≥ 0"):
        editor.invert(frames, SOURCE, noised_until=-1)
    with pytest.raises(ValueError, match=r"fresh_share must be from 0 to 1, got -0\.1"):
        editor.edit(inversion, TARGET, fresh_share=-0.1)
    with pytest.raises(ValueError, match="no attention at level 5"):
        editor.edit(inversion, TARGET, scored_levels=(5,))
    message = "EditSettings has no field 'lamda'; did you mean 'lam'"
    for call in (editor.edit, inversion, TARGET), (editor.invert, frames, SOURCE):
        with pytest.raises(TypeError, match=message):
            call[0](*call[1:], lamda=0.1)


WRONG_SETTINGS = [
    ({"objective": "concat"}, "objective must be 'str' or 'concatenated_maps', got 'concat'; did"),
    ({"lam": float("nan")}, "lam must be a finite number, got nan"),
    ({"num_inference_steps": 2.5}, "num_inference_steps must be an integer, got 2.5"),
    (
        {"inversion_refinements": 1, "inversion_label": "current"},
        "inversion_refinements 1 needs inversion_label 'next', got 'current'",
    ),
    ({"scored_levels": (0, 0)}, "scored_levels must be different and ≥ 0, got (0, 0)"),
    ({"scored_levels": [-1]}, "scored_levels must be different and ≥ 0, got (-1,)"),
    ({"scored_levels": 1}, "scored_levels must be a list of integers or None, got 1"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG_SETTINGS)
def test_a_wrong_override_is_refused_by_its_name(editor, inversion, frames, wrong, message):
    for call in (editor.edit, inversion, TARGET), (editor.invert, frames, SOURCE):
        with pytest.raises((TypeError, ValueError), match=re.escape(message)):
            call[0](*call[1:], **wrong)


def test_a_wrong_argument_is_refused_by_its_name(editor, inversion, frames, mask):
    backbone = editor.backbone
    for call, error, message in (
        (lambda: STRMatch(backbone, memory="leen"), ValueError, "memory must be 'normal' or"),
        (lambda: STRMatch("miniature"), TypeError, "backbone must be of type Backbone, got 'min"),
        (lambda: STRMatch(backbone, {"lam": 1}), TypeError, "settings must be of type EditSet"),
        (lambda: editor.invert(frames, None), TypeError, "source_prompt must be a string, got N"),
        (lambda: editor.invert(frames[:0], SOURCE), ValueError, "frames must not be empty"),
        (lambda: editor.invert(frames[:, :0], SOURCE), ValueError, "frames must not be empty"),
        (lambda: editor.edit(inversion, [TARGET]), TypeError, "target_prompt must be a string"),
        (lambda: editor.edit(frames, TARGET), TypeError, "inversion must be of type Inversion"),
        (lambda: editor.edit(inversion, TARGET, callback=1), TypeError, "callback must be of type"),
        (lambda: editor.edit(inversion, TARGET, mask=mask * 1), ValueError, "mask must be bool"),
        (lambda: editor.edit(inversion, TARGET, mask="all"), ValueError, "mask must be bool"),
    ):
        with pytest.raises(error, match=message) as raised:
            call()
        assert "\n" not in str(raised.value)


def test_maps_that_the_unet_lacks_are_refused_when_the_editor_is_built(editor):
    for choice, message in (
        ({"scored_levels": (1, 5)}, "scored_levels: the UNet has no attention at level 5"),
        ({"temporal_attention": "second"}, "temporal_attention: the UNet has one a block"),
    ):
        with pytest.raises(ValueError, match=message):
            STRMatch(editor.backbone, dataclasses.replace(SETTINGS, **choice))
