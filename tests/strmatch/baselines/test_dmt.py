import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from strmatch.baselines.dmt import DMT, difference_loss, replace_high_frequencies
from strmatch.baselines.settings import DMTSettings
from strmatch.guidance import guided_prediction
from strmatch.sampling.solver import denoise
from strmatch.sampling.windows import find_windows
from tests.strmatch.tiny import FRAMES, three_levels, tiny_backbone

SOURCE, TARGET = "a red circle moving right", "a blue square moving left"
SETTINGS = DMTSettings(
    num_inference_steps=4, guidance_scale=3.0, negative_prompt="", optimised_share=0.5, iterations=3
)


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone(make_unet=three_levels)


@pytest.fixture(scope="module")
def inversion(backbone, frames):
    return DMT(backbone, SETTINGS).invert(frames, SOURCE)


def with_settings(backbone, **changes):
    return DMT(backbone, dataclasses.replace(SETTINGS, **changes))


def plain_loss(source, target):
    """The loss as a loop over pairs, without torch."""
    total, count = 0.0, len(source)
    for i in range(count):
        for j in range(count):
            a = [x - y for x, y in zip(source[j], source[i], strict=True)]
            b = [x - y for x, y in zip(target[j], target[i], strict=True)]
            norms = math.hypot(*a) * math.hypot(*b)
            cosine = sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0
            total += 1 - cosine
    return total / count**2


def test_the_loss_equals_a_loop_over_pairs():
    source, target = torch.randn(2, 4, 6, dtype=torch.float64)
    expected = plain_loss(source.tolist(), target.tolist())
    assert difference_loss(source, target).item() == pytest.approx(expected, rel=1e-12)
    # The loss ignores a common offset of all frames and the scale of their changes.
    same = difference_loss(source, 3 * source + torch.randn(6, dtype=torch.float64))
    assert same.item() == pytest.approx(1 / 4)
    assert difference_loss(source, source.flip(0)).item() > 0.5


def test_features_come_from_the_convolution_temporal_attention_and_upsampler(backbone):
    modules = backbone.unet.space_time_modules()
    names = {module: name for name, module in backbone.unet.named_modules()}
    assert [names[module] for module in modules] == [
        "up_blocks.1.resnets.1.conv2",
        "up_blocks.1.attentions.1.transformer_blocks.0.attn_temp",
        "up_blocks.1.upsamplers.0",
    ]


def test_loss_and_gradient_equal_the_loop_and_finite_differences(backbone, inversion):
    editor, target = DMT(backbone, SETTINGS), backbone.embed(TARGET)
    wanted = backbone.averaged_features(inversion.latents[3], 501, backbone.embed(SOURCE))
    z = torch.randn_like(inversion.latents[3])
    loss, gradient = editor.loss_and_gradient(z, 501, target, wanted)
    features = backbone.averaged_features(z, 501, target)
    expected = sum(
        plain_loss(a.tolist(), b.tolist()) for a, b in zip(wanted, features, strict=True)
    )
    assert loss.item() == pytest.approx(expected, rel=1e-10)
    direction = torch.randn_like(z)
    up, down = (
        editor.loss_and_gradient(z + step * direction, 501, target, wanted)[0]
        for step in (1e-5, -1e-5)
    )
    slope = (up - down) / 2e-5
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-4, atol=1e-9)
    assert gradient.norm() > 0


def test_the_loss_falls_over_the_iterations_and_adam_moves_by_its_rate(backbone, inversion):
    wanted = backbone.averaged_features(inversion.latents[3], 501, backbone.embed(SOURCE))
    torch.manual_seed(1)
    z, target = torch.randn_like(inversion.latents[3]), backbone.embed(TARGET)
    whole = find_windows(FRAMES, FRAMES)
    _, losses = with_settings(backbone, iterations=6).match(z, 501, target, [wanted], whole, 0.01)
    assert len(losses) == 6
    assert all(after < before for before, after in itertools.pairwise(losses))
    one, _ = with_settings(backbone, iterations=1).match(z, 501, target, [wanted], whole, 0.01)
    _, gradient = DMT(backbone, SETTINGS).loss_and_gradient(z, 501, target, wanted)
    # The first step of Adam has only the sign of the gradient, except for ε = 1e-8.
    expected = z - 0.01 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(one, expected)


def resized(signal, size):
    """Antialiased linear interpolation of (n, …) to (size, …), in numpy."""
    n = len(signal)
    scale = (n - 1) / (size - 1)
    support = max(scale, 1.0)
    rows = []
    for i in range(size):
        centre = scale * (i + 0.5)
        weights = np.array([max(0.0, 1 - abs(k + 0.5 - centre) / support) for k in range(n)])
        rows.append(np.tensordot(weights / weights.sum(), signal, axes=1))
    return np.stack(rows)


def test_low_frequencies_come_from_the_inverted_latent_and_high_ones_are_new():
    latents, noise = torch.randn(2, 1, 4, 3, 16, 8, dtype=torch.float64)
    expected = noise.numpy().copy()
    for c in range(4):
        for i in range(3):
            for sign, part in ((1, latents), (-1, noise)):
                frame = part[0, c, i].numpy()
                small = resized(resized(frame, 4).T, 2).T
                expected[0, c, i] += sign * resized(resized(small, 16).T, 8).T
    actual = replace_high_frequencies(latents, noise, 4)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(replace_high_frequencies(latents, noise, 1), latents)


def test_with_all_parts_disabled_the_edit_is_plain_ddim_inversion(backbone, inversion):
    editor = with_settings(backbone, low_frequencies=1, optimised_share=0.0, restart=False)
    target, empty = backbone.embed(TARGET), backbone.embed("")

    def plain(z, t):
        return guided_prediction(backbone, z, t, empty, target, 3.0)

    expected = denoise(plain, inversion.latents[-1], inversion.schedule)
    torch.testing.assert_close(editor.edit(inversion, TARGET).latents, expected)


def test_each_step_uses_its_learning_rate_prompt_and_level(backbone, inversion, monkeypatch):
    """Two of four steps are optimised (rates 0.007, 0.004) towards the source of each level."""
    seen, match = [], DMT.match

    def watch(self, z, t, embedding, wanted, windows, lr):
        seen.append((t, float(lr), embedding, wanted[0]))
        return match(self, z, t, embedding, wanted, windows, lr)

    monkeypatch.setattr(DMT, "match", watch)
    DMT(backbone, SETTINGS).edit(inversion, TARGET)
    assert [(t, round(lr, 9)) for t, lr, *_ in seen] == [(751, 0.007), (501, 0.004)]
    for (t, _, embedding, wanted), level in zip(seen, (4, 3), strict=True):
        assert torch.equal(embedding, backbone.embed(TARGET))
        expected = backbone.averaged_features(inversion.latents[level], t, backbone.embed(SOURCE))
        for one, other in zip(wanted, expected, strict=True):
            torch.testing.assert_close(one, other)


def test_a_restart_restores_the_noise_of_the_level(backbone, inversion, monkeypatch):
    """With an exact denoiser, every input has the noise deviation of its level."""
    clean, seen = torch.zeros_like(inversion.latents[0]), []

    def know(z, t, embeddings):
        alpha = float(backbone.scheduler.alphas_cumprod[t])
        seen.append((t, z.std().item() / (1 - alpha) ** 0.5))
        return ((z - alpha**0.5 * clean) / (1 - alpha) ** 0.5).expand(len(embeddings), *z.shape[1:])

    monkeypatch.setattr(backbone, "predict", know)
    editor = with_settings(backbone, optimised_share=0.0)
    random = dataclasses.replace(inversion, latents=torch.randn_like(inversion.latents))
    editor.edit(random, TARGET)
    assert [t for t, _ in seen] == [751, 751, 501, 501, 251, 251, 1]
    assert [deviation for _, deviation in seen] == pytest.approx([1] * 7, abs=0.15)


def test_equal_seeds_give_equal_edits_and_other_seeds_differ(backbone, inversion):
    editor = DMT(backbone, SETTINGS)
    first, again, other = (editor.edit(inversion, TARGET, seed=s).latents for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_invalid_settings_and_a_mask_are_refused_by_name(backbone, inversion, mask):
    for wrong, message in (
        ({"lr": -1.0}, "lr must be ≥ 0, got -1"),
        ({"optimised_share": 2.0}, "optimised_share must be from 0 to 1, got 2"),
        ({"low_frequencies": 0}, "low_frequencies must be ≥ 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            DMTSettings(**wrong)
    with pytest.raises(ValueError, match="DMT edits without a mask"):
        DMT(backbone, SETTINGS).edit(inversion, TARGET, mask=mask)


def test_a_wrong_argument_is_refused_by_its_name(backbone, inversion, frames):
    editor = DMT(backbone, SETTINGS)
    for call, error, message in (
        (lambda: DMT(backbone, {"lr": 1.0}), TypeError, "settings must be of type DMTSettings"),
        (lambda: editor.invert(frames, 3), TypeError, "source_prompt must be a string"),
        (lambda: editor.edit(inversion, [TARGET]), TypeError, "target_prompt must be a string"),
        (lambda: editor.edit(inversion, TARGET, seed=-1), ValueError, "seed must be ≥ 0, got -1"),
        (lambda: editor.edit(inversion, TARGET, seed=1.0), TypeError, "seed must be an integer"),
    ):
        with pytest.raises(error, match=message):
            call()
