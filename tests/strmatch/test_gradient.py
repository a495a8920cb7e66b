"""Gradients in half precision against float32, for every form of the loss and for DMT."""

import math

import pytest
import torch

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.backbones.lavie import LaVieUNet
from strmatch.baselines.dmt import DMT
from strmatch.gradient import scaled_gradient
from strmatch.matching import Matcher
from strmatch.miniature.model import make_scheduler
from strmatch.settings import EditSettings
from tests.strmatch.half import RoundedProducts
from tests.strmatch.tiny import FRAMES, three_levels, wake

FORMS = [
    {},
    {"reduction": "mean"},
    {"cosine": "layer"},
    {"cosine": "layer", "reduction": "mean"},
    {"cosine": "all"},
    {"objective": "concatenated_maps"},
    {"objective": "concatenated_maps", "reduction": "mean"},
    {"heads": "paired"},
    {"heads": "paired", "cosine": "layer", "reduction": "mean"},
]
WORST = FORMS[1]
"""Without a scale 239 % off. A form takes a minute at the size of LaVie."""
NAMES = [" ".join(form.values()) or "default" for form in FORMS]


class Recorded(torch.autograd.Function):
    """The identity, which keeps the gradient that passes."""

    @staticmethod
    def forward(ctx, x, kept):
        ctx.kept = kept
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.kept.append(gradient)
        return gradient, None


@pytest.mark.parametrize("largest", [1e-30, 3e-7, 1.0, 5.0, 8.0, 3e12])
def test_the_largest_gradient_is_scaled_to_between_4_and_8(largest):
    x, kept = torch.ones(3, requires_grad=True), []
    given = torch.tensor([largest, -largest / 2, largest / 3])
    actual = scaled_gradient([Recorded.apply(x, kept)], [given], x)
    assert torch.equal(actual, given)
    assert 4 <= kept[0].abs().max() <= 8
    assert math.log2(kept[0][0] / given[0]).is_integer()


def test_gradients_of_zero_stay_zero_and_nan_stays_nan():
    x = torch.ones(3, requires_grad=True)
    assert torch.equal(scaled_gradient([2 * x], [torch.zeros(3)], x), torch.zeros(3))
    assert scaled_gradient([2 * x], [torch.tensor([1.0, torch.nan, 0.0])], x).isnan().any()


def model(unet, dtype):
    return VideoDiffusion(
        unet.to(dtype), torch.nn.Identity(), torch.nn.Identity(), None, make_scheduler("epsilon"),
        EditSettings(),
    )  # fmt: skip


def small(dtype):
    torch.manual_seed(0)
    return model(wake(three_levels()), dtype)


def inputs(frames, height, width, channels):
    """Latents of target and source, and both texts."""
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(2, 1, 4, frames, height, width, generator=generator)
    return latents, torch.randn(2, 1, 77, channels, generator=generator)


def matching_gradient(backbone, form, latents, texts):
    target, source = texts.to(backbone.dtype)
    matcher = Matcher(backbone, EditSettings(**form))
    wanted = matcher.features(latents[1], 501, source)
    return matcher.loss_and_gradient(latents[0], 501, [target], wanted)[1]


def relative_error(actual, expected):
    return float((actual - expected).norm() / expected.norm())


@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_float16_gradients_of_a_small_unet_equal_those_of_float32(form):
    given = inputs(FRAMES, 16, 16, 32)
    exact = matching_gradient(small(torch.float32), form, *given)
    actual = matching_gradient(small(torch.float16), form, *given)
    assert relative_error(actual, exact) < 0.01


@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_the_scale_changes_no_bit_in_float32(form, monkeypatch):
    given, backbone = inputs(FRAMES, 8, 8, 32), small(torch.float32)
    scaled = matching_gradient(backbone, form, *given)
    plain = lambda outputs, at, z: torch.autograd.grad(outputs, z, at)[0]  # noqa: E731
    monkeypatch.setattr("strmatch.matching.scaled_gradient", plain)
    assert torch.equal(scaled, matching_gradient(backbone, form, *given))


@pytest.mark.parametrize("motion", [1.0, 1e-2])
def test_float16_gradients_of_dmt_equal_those_of_float32(motion):
    """With frames that are nearly equal, the cosines of their changes have steep gradients."""
    (target, source), texts = inputs(FRAMES, 16, 16, 32)
    target = target[:, :, :1] + motion * target
    gradients = []
    for dtype in (torch.float32, torch.float16):
        backbone = small(dtype)
        text, of_source = texts.to(dtype)
        wanted = [each.float() for each in backbone.averaged_features(source, 501, of_source)]
        gradients.append(DMT(backbone).loss_and_gradient(target, 501, text, wanted)[1])
    assert gradients[1].isfinite().all()
    # The features of nearly equal frames differ by few units of float16.
    assert relative_error(gradients[1], gradients[0]) < (0.01 if motion == 1 else 0.2)


def lavie_sized(dtype):
    """LaVie's scored levels with 640, 160 and 40 tokens and 8 heads, at a reduced width."""
    torch.manual_seed(0)
    unet = LaVieUNet(
        block_out_channels=(32, 256, 256, 256),
        attention_head_dim=(1, 8, 8, 8),
        layers_per_block=1,
        cross_attention_dim=64,
    )
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    return model(unet, dtype)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_float16_gradients_at_the_token_counts_of_lavie_equal_those_of_float32():
    given = inputs(16, 40, 64, 64)
    with RoundedProducts():
        exact = matching_gradient(lavie_sized(torch.float32), WORST, *given)
        actual = matching_gradient(lavie_sized(torch.float16), WORST, *given)
    error = relative_error(actual, exact)
    print(f"relative error {error:.4f}")
    assert error < 0.02
