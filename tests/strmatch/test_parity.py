"""Sampling of LaVie, DMT and UniEdit against results of their authors' code (see golden/)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from strmatch import generate
from strmatch.baselines.dmt import DMT, replace_high_frequencies
from strmatch.baselines.settings import DMTSettings, UniEditSettings
from strmatch.baselines.uniedit import UniEdit
from strmatch.sampling.schedule import Schedule
from strmatch.sampling.windows import find_windows
from tests.strmatch.golden.formula import (
    FRAMES,
    formula_backbone,
    formula_inversion,
    latents,
    unet3d,
)
from tests.strmatch.tiny import SIZE, tiny_lavie

GOLDEN = Path(__file__).parent / "golden"
DMT_SETTINGS = DMTSettings(
    num_inference_steps=5,
    guidance_scale=3.0,
    negative_prompt="negative",
    lr=0.07,
    optimised_share=0.4,
    iterations=3,
    low_frequencies=1,
    restart=False,
)


def assert_equals_golden(actual, golden):
    """The largest difference is below 1e-5 of the largest value."""
    assert (actual - golden).abs().max() < 1e-5 * golden.abs().max()


@pytest.fixture
def steps(monkeypatch):
    """A list of the latents after every step, which an edit or a generation fills."""
    seen, step = [], Schedule.step

    def watch(*arguments):
        seen.append(step(*arguments))
        return seen[-1]

    monkeypatch.setattr(Schedule, "step", watch)
    return seen


@pytest.fixture(scope="module")
def lavie():
    return formula_backbone(tiny_lavie)


@pytest.fixture(scope="module")
def zeroscope():
    return formula_backbone(unet3d)


def test_generation_takes_the_steps_of_the_authors_pipeline_of_lavie(lavie, monkeypatch, steps):
    golden = load_file(GOLDEN / "lavie.safetensors")["latents"]
    monkeypatch.setattr(lavie, "noise", lambda num_frames, seed: latents(1))
    generate(
        lavie,
        ["target"],
        num_frames=FRAMES,
        negative_prompt="negative",
        num_inference_steps=5,
        guidance_scale=7.5,
    )
    assert_equals_golden(torch.cat(steps), golden)


def test_loss_gradient_and_adam_equal_those_of_dmts_authors(zeroscope):
    golden = load_file(GOLDEN / "dmt.safetensors")
    editor, inversion = DMT(zeroscope, DMT_SETTINGS), formula_inversion(zeroscope, 5, "source")
    z, target = inversion.latents[5], zeroscope.embed("target")
    t = inversion.schedule.timesteps[5]
    wanted = zeroscope.averaged_features(z, t, zeroscope.embed("source"))
    loss, gradient = editor.loss_and_gradient(z, t, target, wanted)
    assert_equals_golden(loss, golden["losses"][0, 0])
    assert_equals_golden(gradient, golden["gradient"])
    whole = find_windows(FRAMES, FRAMES)
    optimised, losses = editor.match(z, t, target, [wanted], whole, golden["rates"][0].item())
    assert_equals_golden(losses, golden["losses"][0])
    assert_equals_golden(optimised, golden["optimised"][:1])


def test_an_edit_takes_the_steps_of_dmts_authors(zeroscope, monkeypatch, steps):
    golden = load_file(GOLDEN / "dmt.safetensors")
    rates, optimised, losses = [], [], []
    match = DMT.match

    def watch(self, *arguments):
        rates.append(arguments[-1])
        z, at = match(self, *arguments)
        optimised.append(z)
        losses.append(at)
        return z, at

    monkeypatch.setattr(DMT, "match", watch)
    DMT(zeroscope, DMT_SETTINGS).edit(formula_inversion(zeroscope, 5, "source"), "target")
    assert_equals_golden(torch.tensor(np.array(rates)), golden["rates"])
    assert_equals_golden(torch.stack(losses), golden["losses"])
    assert_equals_golden(torch.cat(optimised), golden["optimised"])
    assert_equals_golden(torch.cat(steps), golden["latents"])


def test_frequencies_are_mixed_as_by_dmts_authors():
    golden = load_file(GOLDEN / "dmt.safetensors")["mixed"]
    assert_equals_golden(replace_high_frequencies(latents(1), latents(2), 4), golden)


@pytest.mark.parametrize("masked", [False, True])
def test_injected_steps_equal_those_of_uniedits_authors(lavie, steps, masked):
    """The mask consists of whole cells of the coarsest level.

    Max-pooling and the authors' nearest-neighbour selection resize such a mask equally.
    """
    golden = load_file(GOLDEN / "uniedit.safetensors")["masked" if masked else "plain"]
    mask = np.zeros((FRAMES, SIZE, SIZE), dtype=bool)
    mask[:, 8:24, :16] = True
    mask[2, :8, 24:] = True
    settings = UniEditSettings(
        num_inference_steps=3,
        guidance_scale=7.5,
        negative_prompt="negative",
        injected_share=2 / 3,
    )
    inversion = formula_inversion(lavie, 3, "")
    UniEdit(lavie, settings).edit(inversion, "target", mask=mask if masked else None)
    assert_equals_golden(torch.cat(steps[:2]), golden)
