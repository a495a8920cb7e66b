"""The editor equals Algorithm 1 as it is written: every step of it, and all of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from jobs.benchmark.as_written import AsWritten
from strmatch import STRMatch, load_backbone
from strmatch.guidance import guided_prediction
from strmatch.matching import Matcher
from strmatch.miniature.scenes import caption, sample_scene, with_attributes
from strmatch.miniature.world import render
from tests.strmatch.tiny import FRAMES, SETTINGS, SIZE, tiny_backbone

SOURCE, TARGET = "a red circle moving right", "a blue square moving right"
CURRENT = replace(SETTINGS, inversion_label="current", lam=0.05)


@pytest.fixture(scope="module", params=["epsilon", "v_prediction"])
def backbone(request):
    return tiny_backbone(request.param)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)


def test_score_gradient_and_noise_of_every_step_are_equal(backbone, frames):
    plain, matcher = AsWritten(backbone, CURRENT), Matcher(backbone, CURRENT)
    ours, theirs = STRMatch(backbone, CURRENT).invert(frames, SOURCE), plain.invert(frames, SOURCE)
    torch.testing.assert_close(ours.latents, theirs.latents, rtol=0, atol=1e-8)
    source, target = backbone.embed(SOURCE), backbone.embed(TARGET)
    both, near = torch.cat([source, target]), {"rtol": 0, "atol": 1e-8}
    for level in range(1, 5):
        t, omega = ours.schedule.timesteps[level], theirs.scores[level - 1]
        kept = ours.features.get(
            (t, matcher.kind), matcher.features(ours.latents[level], t, source)
        )
        for a, b in zip(kept, omega, strict=True):
            torch.testing.assert_close(a[:, 0], b, **near)
        z = torch.randn_like(ours.latents[0])
        score, gradient = plain.score_and_gradient(z, t, both, omega)
        for a, b in zip(matcher.features(z, t, target), score, strict=True):
            torch.testing.assert_close(a[:, 0], b, **near)
        _, actual = matcher.loss_and_gradient(z, t, [target], kept)
        assert actual.abs().max() > 1e-3
        torch.testing.assert_close(actual, gradient, **near)
        guided = guided_prediction(backbone, z, t, source, target, CURRENT.guidance_scale)
        torch.testing.assert_close(guided, plain.guided(z, t, both), **near)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"inversion_label": "next"},
        {"noised_until": 251},
        {"radius": 2},
        {"negative_prompt": "", "lam": 0.5},
    ],
)
def test_whole_edits_are_equal(backbone, frames, changes):
    settings = replace(CURRENT, **changes)
    plain, editor = AsWritten(backbone, settings), STRMatch(backbone, settings)
    expected = plain.edit(plain.invert(frames, SOURCE), TARGET)
    actual = editor.edit(editor.invert(frames, SOURCE), TARGET)
    torch.testing.assert_close(actual.latents, expected, rtol=0, atol=1e-5)
    unmatched = editor.edit(editor.invert(frames, SOURCE), TARGET, lam=0.0).latents
    assert (actual.latents - unmatched).abs().max() > 1e-3


@pytest.mark.slow
def test_an_edit_by_the_trained_miniature_is_equal_in_single_precision():
    torch.set_num_threads(1)
    backbone = load_backbone("miniature", device="cpu")
    settings = replace(backbone.settings, num_inference_steps=5)
    scene = sample_scene(3, "dev")
    frames = render([scene]).frames[0].numpy()
    other = caption(with_attributes(scene, colour="blue"))
    plain, editor = AsWritten(backbone, settings), STRMatch(backbone, settings)
    expected = plain.edit(plain.invert(frames, caption(scene)), other)
    actual = editor.edit(editor.invert(frames, caption(scene)), other)
    torch.testing.assert_close(actual.latents, expected, rtol=0, atol=1e-3)
