import dataclasses

import numpy as np
import pytest
import torch

from strmatch.baselines.base import EncodedClip
from strmatch.baselines.flowedit import FlowEdit
from strmatch.baselines.settings import FlowEditSettings
from strmatch.masks import latent_mask
from tests.strmatch.baselines.test_sdedit import SOURCE, TARGET
from tests.strmatch.sampling.test_schedule import Gaussian, every_schedule, normal, schedule
from tests.strmatch.tiny import FRAMES, SIZE, tiny_backbone

PLAIN = FlowEditSettings(
    num_inference_steps=10, guidance_scale=1.0, source_guidance_scale=1.0, start_share=1.0
)
SETTINGS = FlowEditSettings(
    num_inference_steps=4, guidance_scale=3.0, source_guidance_scale=2.0, start_share=0.75
)


class Shifted:
    """The exact model of Gaussians, whose mean is the number in the prompt."""

    def __init__(self, levels, deviations=(0.7, 0.7)):
        self.levels, self.deviations = levels, dict(zip((0, 1), deviations, strict=True))

    def predict(self, latents, timestep, embeddings):
        means = embeddings.flatten().tolist()
        models = [Gaussian(self.levels, mean, self.deviations[mean > 1]) for mean in means]
        parts = latents.expand(len(means), *latents.shape[1:]).split(1)
        pairs = zip(models, parts, strict=True)
        return torch.cat([model(part, timestep) for model, part in pairs])


@pytest.fixture
def analytic(monkeypatch):
    """A function that gives the tiny backbone an exact model on a schedule."""
    backbone = tiny_backbone()
    monkeypatch.setattr(backbone, "decode", lambda latents: latents)
    monkeypatch.setattr(backbone, "embed", lambda text: torch.full((1, 1, 1), float(text or 0)))

    def on(levels, *deviations):
        monkeypatch.setattr(backbone, "schedule", lambda steps: levels)
        model = Shifted(levels, *deviations)
        monkeypatch.setattr(backbone, "predict", model.predict)
        return backbone

    return on


@every_schedule
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_a_gaussian_is_shifted_as_far_as_its_path_from_the_first_level(analytic, name, share):
    """Along the exact path, D − α Δ keeps its ratio to the deviation √(α² s² + σ²) of a level.

    Without a first level (α = 0), the clip is shifted by the whole difference Δ of the means.
    """
    steps, deviation, shift = 250, 0.7, 2.0
    levels = schedule(steps, name)
    settings = dataclasses.replace(PLAIN, num_inference_steps=steps, start_share=share)
    clip = 0.3 + deviation * normal(1, 4, 2, 3, 3)
    editor = FlowEdit(analytic(levels), settings)
    change = editor.edit(EncodedClip(clip, "0.3", clip.shape[2]), str(0.3 + shift)).latents - clip
    first = round(share * steps)
    alpha, sigma = levels.alphas[first], levels.sigmas[first]
    rest = levels.alphas[0] * deviation / (alpha**2 * deviation**2 + sigma**2) ** 0.5
    expected = torch.full_like(change, shift * (levels.alphas[0] - alpha * rest))
    exact = alpha == 0  # a step is exact if D = α Δ
    torch.testing.assert_close(change, expected, rtol=1e-6 if exact else 0.03, atol=1e-6)


def test_an_edit_of_a_velocity_equals_the_published_loop(analytic):
    """Algorithm 1 of the publication: z_edit and fresh noise at each level, of other deviations."""
    levels = schedule(10, "flow")
    backbone = analytic(levels, (0.7, 0.4))
    settings = dataclasses.replace(PLAIN, start_share=0.8, averages=3)
    clip = 0.3 + 0.7 * normal(1, 4, 2, 3, 3)
    v_source, v_target = Gaussian(levels, 0.3, 0.7), Gaussian(levels, 2.0, 0.4)
    generator, edited = torch.Generator().manual_seed(5), clip
    for level in range(8, 0, -1):
        t = levels.timesteps[level]
        sigma, following = t / 1000, levels.timesteps[level - 1] / 1000
        differences = []
        for _ in range(3):
            noise = torch.randn(clip.shape, generator=generator)
            noisy = (1 - sigma) * clip + sigma * noise
            differences.append(v_target(edited + noisy - clip, t) - v_source(noisy, t))
        edited = edited + (following - sigma) * sum(differences) / 3
    actual = (
        FlowEdit(backbone, settings)
        .edit(EncodedClip(clip, "0.3", clip.shape[2]), "2.0", seed=5)
        .latents
    )
    torch.testing.assert_close(actual, edited, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def editor(backbone):
    return FlowEdit(backbone, SETTINGS)


def test_both_prompts_are_guided_and_equal_ones_change_nothing(backbone, editor, frames):
    clip = editor.invert(frames, SOURCE)
    equal = dataclasses.replace(SETTINGS, source_guidance_scale=SETTINGS.guidance_scale)
    unchanged = FlowEdit(backbone, equal).edit(clip, SOURCE).latents
    torch.testing.assert_close(unchanged, clip.latents, rtol=0, atol=1e-9)
    results = [editor.edit(clip, TARGET, seed=seed).latents for seed in (0, 0, 1)]
    for choice in ({"source_guidance_scale": 1.0}, {"guidance_scale": 1.0}, {"averages": 2}):
        other = FlowEdit(backbone, dataclasses.replace(SETTINGS, **choice))
        results.append(other.edit(clip, TARGET).latents)
    assert torch.equal(results[0], results[1])
    for other in results[2:]:
        assert not torch.allclose(other, results[0])


def test_the_clip_stays_outside_the_mask_and_without_steps(backbone, editor, frames, mask):
    clip = editor.invert(frames, SOURCE)
    inside = latent_mask(torch.from_numpy(mask), SIZE // 4, SIZE // 4).expand_as(clip.latents)
    edited = editor.edit(clip, TARGET, mask=mask).latents
    assert torch.equal(edited[~inside], clip.latents[~inside])
    assert not torch.allclose(edited[inside], clip.latents[inside])
    still = FlowEdit(backbone, dataclasses.replace(SETTINGS, start_share=0.0))
    assert torch.equal(still.edit(clip, TARGET).latents, clip.latents)


def test_long_clips_are_edited_in_windows(backbone, editor):
    frames = np.random.default_rng(1).integers(0, 256, (6, SIZE, SIZE, 3), dtype=np.uint8)
    whole = editor.edit(editor.invert(frames, SOURCE), TARGET)
    backbone.num_frames, kept = FRAMES, backbone.num_frames
    windows = editor.edit(editor.invert(frames, SOURCE), TARGET)
    backbone.num_frames = kept
    assert windows.frames.shape == whole.frames.shape == (6, SIZE, SIZE, 3)
    assert not torch.allclose(windows.latents, whole.latents)


def test_wrong_settings_are_refused_by_name(editor, frames):
    with pytest.raises(ValueError, match=r"start_share must be from 0 to 1, got 1\.5"):
        FlowEditSettings(start_share=1.5)
    with pytest.raises(ValueError, match="averages must be ≥ 1"):
        FlowEditSettings(averages=0)
    with pytest.raises(ValueError, match="seed must be ≥ 0"):
        editor.edit(editor.invert(frames, SOURCE), TARGET, seed=-1)
