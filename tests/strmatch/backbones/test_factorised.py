"""Video UNets of diffusers behind the backbone interface: outputs, maps, gradients and edits."""

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import UNetMotionModel

from strmatch import STRMatch, load_backbone
from strmatch.attention import record_attention
from strmatch.backbones.factorised import TEMPORAL, FactorisedUNet, temporal_attention
from strmatch.matching import Matcher
from tests.strmatch.backbones.lean import check_lean
from tests.strmatch.tiny import (
    FRAMES,
    SETTINGS,
    save_backbone,
    tiny_backbone,
    tiny_lavie,
    tiny_motion,
    tiny_unet3d,
    wake,
)

SOURCE, TARGET = "a red circle moving right", "a blue square moving right"
SIZE, STEPS = 16, 2
HEADS = {"UNet3DConditionModel": (2, 4), "UNetMotionModel": (2, 2)}
KINDS = {"attn1": "attn1", "attn_temp": "attn1", "attn_temp2": "attn2"}
"""What we call the attentions, and what they are called in their blocks."""


@pytest.fixture(scope="module", params=[tiny_unet3d, tiny_motion])
def plain(request):
    """The model of diffusers."""
    torch.manual_seed(0)
    return wake(request.param()).double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def unet(plain):
    return FactorisedUNet(copy.deepcopy(plain))


@pytest.fixture(scope="module")
def inputs():
    torch.manual_seed(1)
    sample = torch.randn(2, 4, 3, 8, 8, dtype=torch.float64)
    return sample, 500, torch.randn(2, 7, 32, dtype=torch.float64)


def as_diffusers(plain, sample, timestep, text):
    """Arguments for diffusers, with the text repeated per frame as in AnimateDiff's pipeline."""
    repeats = sample.shape[2] if isinstance(plain, UNetMotionModel) else 1
    return sample, timestep, text.repeat_interleave(repeats, dim=0)


def attentions(unet):
    return {
        f"{name}.{kind}": getattr(block, kind)
        for level in range(unet.num_levels)
        for name, block in unet.attention_blocks(level).items()
        for kind in KINDS
    }


def test_the_output_equals_that_of_diffusers_with_and_without_probes(plain, unet, inputs):
    expected = plain(*as_diffusers(plain, *inputs)).sample
    torch.testing.assert_close(unet(*inputs), expected, rtol=0, atol=1e-10)
    with record_attention(attentions(unet)):
        probed = unet(*inputs)
    torch.testing.assert_close(probed, expected, rtol=0, atol=1e-10)


def test_the_maps_equal_those_of_the_attention_of_diffusers(plain, unet, inputs):
    """The reference is computed by diffusers from the inputs of each attention module."""
    where = TEMPORAL[type(plain).__name__]
    with record_attention(attentions(unet)) as maps:
        unet(*inputs)
    expected, hooks = {}, []

    def watch(name):
        def keep(attention, arguments):
            query, key = attention.to_q(arguments[0]), attention.to_k(arguments[0])
            query, key = map(attention.head_to_batch_dim, (query, key))
            expected[name] = attention.get_attention_scores(query, key)

        return keep

    for name in maps:
        block, kind = name.rsplit(".", 1)
        if kind != "attn1":
            block = block.replace("attentions", where)
        module = plain.get_submodule(block).get_submodule(KINDS[kind])
        hooks.append(module.register_forward_pre_hook(watch(name)))
    plain(*as_diffusers(plain, *inputs))
    for hook in hooks:
        hook.remove()

    assert len(maps) == 3 * (2 + 4 + 1)
    for level, n in ((0, 64), (1, 16)):
        heads = HEADS[type(plain).__name__][level]
        for name in unet.attention_blocks(level):
            assert maps[f"{name}.attn1"].shape == (2 * 3, heads, n, n)
            assert maps[f"{name}.attn_temp"].shape == (2 * n, heads, 3, 3)
            assert maps[f"{name}.attn_temp2"].shape == (2 * n, heads, 3, 3)
    for name, probabilities in maps.items():
        torch.testing.assert_close(probabilities.flatten(0, 1), expected[name])
        torch.testing.assert_close(
            probabilities.sum(-1), torch.ones(probabilities.shape[:-1], dtype=torch.float64)
        )


def test_the_batch_axis_is_ordered_by_clip_first(unet, inputs):
    sample, timestep, text = inputs
    with record_attention(attentions(unet)) as both:
        unet(*inputs)
    with record_attention(attentions(unet)) as second:
        unet(sample[1:], timestep, text[1:])
    for name, probabilities in second.items():
        torch.testing.assert_close(both[name].chunk(2)[1], probabilities)


@pytest.mark.parametrize("level", [0, 1])
def test_a_lean_pass_stores_less_and_gives_the_same_gradient(unet, inputs, level):
    check_lean(unet, *inputs, level, atol=1e-10)
    assert all("forward" not in vars(module) for module in unet.modules())


def test_either_of_two_temporal_attentions_or_their_mean_can_be_selected(unet, inputs):
    for block in unet.attention_blocks(1).values():
        chosen = {which: temporal_attention(block, which) for which in ("first", "second")}
        with record_attention(chosen) as each:
            unet(*inputs)
        assert not torch.allclose(each["first"], each["second"])
        with record_attention({"mean": temporal_attention(block, "mean")}, leave=True) as maps:
            unet(*inputs)
        torch.testing.assert_close(maps["mean"], (each["first"] + each["second"]) / 2)
    assert all(block.attn_temp.probe is None for block in unet.attention_blocks(1).values())
    (lavie,) = list(tiny_lavie().attention_blocks(1).values())[:1]
    with pytest.raises(ValueError, match="temporal_attention: .* 'mean' cannot be taken"):
        temporal_attention(lavie, "mean")


def test_a_middle_block_without_motion_is_not_scored():
    unet = FactorisedUNet(tiny_motion(use_motion_mid_block=False))
    assert [len(unet.attention_blocks(level)) for level in (0, 1, 2)] == [3, 3, 0]


def test_unpaired_spatial_and_temporal_blocks_are_refused():
    with pytest.raises(ValueError, match="down_blocks.0: its spatial and temporal blocks do not"):
        FactorisedUNet(tiny_motion(transformer_layers_per_block=2))


def test_unknown_unet_classes_are_refused():
    with pytest.raises(ValueError, match="UNetMotionModel.*, got LaVieUNet"):
        FactorisedUNet(tiny_lavie())


# From a folder to an edit


@pytest.fixture(scope="module", params=[tiny_unet3d, tiny_motion])
def editor(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_backbone(tiny_backbone(make_unet=request.param), folder)
    settings = replace(SETTINGS, num_inference_steps=STEPS)
    return STRMatch(load_backbone(folder, dtype=torch.float64, settings=settings))


@pytest.fixture(scope="module")
def inversion(editor):
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    return editor.invert(frames, SOURCE)


@pytest.fixture(params=["first", "second", "mean"])
def descended(request, editor, inversion):
    """Loss and gradient at given latents of one noise level, for each temporal attention."""
    backbone = editor.backbone
    matcher = Matcher(backbone, replace(SETTINGS, temporal_attention=request.param))
    wanted = matcher.features(inversion.latents[1], 251, backbone.embed(SOURCE))
    target = backbone.embed(TARGET)
    return lambda z: matcher.loss_and_gradient(z, 251, [target], wanted)


def test_every_descent_step_lowers_the_loss(descended, inversion):
    z, losses = inversion.latents[2], []
    for _ in range(5):
        loss, gradient = descended(z)
        losses.append(loss.item())
        z = z - 1e-3 * gradient
    assert all(after < before for before, after in itertools.pairwise(losses))


def test_the_gradient_equals_finite_differences(descended, inversion):
    z = inversion.latents[0]
    _, gradient = descended(z)
    torch.manual_seed(2)
    for direction in torch.randn(2, *z.shape, dtype=z.dtype):
        slope = (descended(z + 1e-6 * direction)[0] - descended(z - 1e-6 * direction)[0]) / 2e-6
        torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-4, atol=0)


def test_each_temporal_attention_gives_a_different_edit(editor, inversion):
    edits = {}
    for which in ("first", "second", "mean"):
        losses = []
        edits[which] = editor.edit(
            inversion,
            TARGET,
            lam=0.1,
            temporal_attention=which,
            callback=lambda info, losses=losses: losses.append(info["loss"]),
        )
        assert edits[which].frames.shape == (FRAMES, SIZE, SIZE, 3)
        assert len(losses) == STEPS and np.isfinite(losses).all()
    for a, b in itertools.combinations(edits.values(), 2):
        assert not torch.allclose(a.latents, b.latents, rtol=1e-9, atol=1e-12)
