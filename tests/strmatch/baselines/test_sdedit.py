import dataclasses

import numpy as np
import pytest
import torch

from strmatch.baselines.sdedit import SDEdit
from strmatch.baselines.settings import SDEditSettings
from strmatch.masks import latent_mask
from tests.strmatch.tiny import FRAMES, SIZE

SOURCE, TARGET = "a red circle moving right", "a blue square moving right"
SETTINGS = SDEditSettings(num_inference_steps=4, guidance_scale=3.0)


def with_settings(backbone, **changes):
    return SDEdit(backbone, dataclasses.replace(SETTINGS, **changes))


@pytest.fixture(scope="module")
def clip(backbone, frames):
    return SDEdit(backbone, SETTINGS).invert(frames, SOURCE)


@pytest.fixture(scope="module")
def latents(clip):
    return clip.latents


def test_zero_strength_returns_the_autoencoder_reconstruction(backbone, clip, latents):
    edited = with_settings(backbone, strength=0.0).edit(clip, TARGET)
    assert torch.equal(edited.latents, latents)
    assert np.array_equal(edited.frames, backbone.decode(latents))
    assert edited.frames.shape == (FRAMES, SIZE, SIZE, 3)


def test_half_strength_equals_half_of_the_steps_written_out(backbone, clip, latents):
    alphas = backbone.scheduler.alphas_cumprod.double()[[0, 1, 251]]
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(5)).double()
    z = alphas[2] ** 0.5 * latents + (1 - alphas[2]) ** 0.5 * noise
    for k, t in ((2, 251), (1, 1)):
        conditional = backbone.predict(z, t, backbone.embed(TARGET))
        unconditional = backbone.predict(z, t, backbone.embed("green"))
        epsilon = unconditional + 3 * (conditional - unconditional)
        clean = (z - (1 - alphas[k]) ** 0.5 * epsilon) / alphas[k] ** 0.5
        z = alphas[k - 1] ** 0.5 * clean + (1 - alphas[k - 1]) ** 0.5 * epsilon
    editor = with_settings(backbone, strength=0.5, negative_prompt="green")
    torch.testing.assert_close(editor.edit(clip, TARGET, seed=5).latents, z)


def test_the_clip_outside_the_mask_is_kept_exactly(backbone, clip, latents, mask):
    edited = with_settings(backbone, strength=1.0).edit(clip, TARGET, mask=mask).latents
    inside = latent_mask(torch.from_numpy(mask), SIZE // 4, SIZE // 4, 3).expand_as(latents)
    assert torch.equal(edited[~inside], latents[~inside])
    assert not torch.isclose(edited[inside], latents[inside]).any()


def test_a_full_mask_equals_no_mask(backbone, clip, mask):
    editor = with_settings(backbone, strength=0.5)
    everywhere = editor.edit(clip, TARGET, mask=np.ones_like(mask)).latents
    assert torch.equal(everywhere, editor.edit(clip, TARGET).latents)


def test_the_blended_source_has_the_noise_of_each_level(backbone, clip, latents, mask, monkeypatch):
    """With an empty mask, the input of the model at every level is the noised clip."""
    seen, epsilon = [], type(backbone).predict

    def watch(self, z, t, embeddings):
        seen.append((t, z))
        return epsilon(self, z, t, embeddings)

    monkeypatch.setattr(type(backbone), "predict", watch)
    editor = with_settings(backbone, strength=1.0)
    editor.edit(clip, TARGET, mask=np.zeros_like(mask), seed=7)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(7)).double()
    assert [t for t, _ in seen] == [751, 501, 251, 1]
    for t, z in seen:
        alpha = float(backbone.scheduler.alphas_cumprod[t])
        torch.testing.assert_close(z, alpha**0.5 * latents + (1 - alpha) ** 0.5 * noise)


def test_equal_seeds_give_equal_edits_and_other_seeds_differ(backbone, clip):
    editor = with_settings(backbone)
    first, again, other = (editor.edit(clip, TARGET, seed=s).latents for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.isclose(first, other).any()


def test_invalid_settings_and_masks_are_refused_by_name(backbone, clip, mask):
    for wrong, message in (
        ({"strength": 1.5}, "strength must be from 0 to 1, got 1.5"),
        ({"mask_dilation": 2}, "mask_dilation must be odd"),
        ({"num_inference_steps": 0}, "num_inference_steps must be ≥ 1"),
    ):
        with pytest.raises(ValueError, match=message):
            SDEditSettings(**wrong)
    with pytest.raises(ValueError, match="mask must be bool"):
        with_settings(backbone).edit(clip, TARGET, mask=mask[:2])


def test_a_wrong_argument_is_refused_by_its_name(backbone, frames):
    editor = SDEdit(backbone)
    clip = editor.invert(frames, "")
    for call, error, message in (
        (lambda: SDEdit("miniature"), TypeError, "backbone must be of type Backbone"),
        (lambda: editor.invert(frames[:0], ""), ValueError, "frames must not be empty"),
        (lambda: editor.edit(frames, ""), TypeError, "inversion must be of type EncodedClip"),
        (lambda: editor.edit(clip, None), TypeError, "target_prompt must be a string"),
        (lambda: editor.edit(clip, "", seed=-1), ValueError, "seed must be ≥ 0, got -1"),
    ):
        with pytest.raises(error, match=message):
            call()
