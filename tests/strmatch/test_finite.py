"""Values that are not finite end an edit, in every editor, with their step in the message."""

import dataclasses

import numpy as np
import pytest
import torch

from strmatch import NotFinite, STRMatch, generate
from strmatch.baselines.dmt import DMT
from strmatch.baselines.sdedit import SDEdit
from strmatch.baselines.settings import DMTSettings, settings_for
from strmatch.baselines.uniedit import UniEdit
from strmatch.finite import StepCheck, check_finite
from strmatch.matching import Matcher
from tests.strmatch.tiny import FRAMES, SETTINGS, three_levels, tiny_backbone

SIZE = 16
SOURCE, TARGET = "a red circle moving right", "a blue square moving right"


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone(make_unet=three_levels)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=[STRMatch, SDEdit, DMT, UniEdit])
def editor(request, backbone):
    if request.param is STRMatch:
        return STRMatch(backbone, SETTINGS)
    editor = request.param(backbone)
    settings = {"num_inference_steps": 4}
    settings |= {"strength": 1.0} if request.param is SDEdit else {}
    settings |= {"iterations": 2} if request.param is DMT else {}
    editor.settings = dataclasses.replace(editor.settings, **settings)
    return editor


def plant(monkeypatch, owner, name, wanted, value=torch.nan, part=lambda result: result):
    """Put one value that is not finite into what a method returns, in the first `wanted` call."""
    method, planted = getattr(owner, name), []

    def changed(*args, **kwargs):
        result = method(*args, **kwargs)
        if not planted and wanted(*args):
            planted.append(True)
            tensor = part(result)
            tensor[(-1,) * tensor.ndim] = value  # a batch ends with the target
        return result

    monkeypatch.setattr(owner, name, changed)


@pytest.mark.parametrize(
    ("step", "timestep", "value"), [(0, 751, torch.nan), (2, 251, torch.inf), (3, 1, torch.nan)]
)
def test_a_latent_that_is_not_finite_fails_the_edit(
    editor, frames, monkeypatch, step, timestep, value
):
    inversion = editor.invert(frames, SOURCE)
    plant(monkeypatch, editor.backbone, "predict", lambda z, t, _: t == timestep, value)
    place = rf"not finite: latents at denoising step {step} \(timestep {timestep}\)"
    with pytest.raises(NotFinite, match=place + ".*bfloat16 or float32"):
        editor.edit(inversion, TARGET)


@pytest.mark.parametrize("masked", [False, True])
def test_a_gradient_that_is_not_finite_fails_the_edit(backbone, frames, monkeypatch, masked):
    editor = STRMatch(backbone, SETTINGS)
    inversion = editor.invert(frames, SOURCE)
    mask = np.zeros((FRAMES, SIZE, SIZE), bool) if masked else None
    own = (Matcher, "loss_and_gradient", lambda self, z, t, *_: t == 251)
    plant(monkeypatch, *own, part=lambda result: result[1])
    with pytest.raises(NotFinite, match=r"gradient at denoising step 2 \(timestep 251\)"):
        editor.edit(inversion, TARGET, mask=mask)


def test_a_gradient_of_dmt_that_is_not_finite_fails_the_edit(backbone, frames, monkeypatch):
    editor = DMT(backbone, settings_for(DMTSettings, SETTINGS, iterations=2))
    inversion = editor.invert(frames, SOURCE)
    own = (DMT, "loss_and_gradient", lambda self, z, t, *_: t == 501)
    plant(monkeypatch, *own, part=lambda result: result[1])
    with pytest.raises(NotFinite, match=r"loss at denoising step 1 \(timestep 501\)"):
        editor.edit(inversion, TARGET)


def test_a_decoded_frame_that_is_not_finite_fails_the_edit(editor, frames, monkeypatch):
    inversion = editor.invert(frames, SOURCE)
    own = (editor.backbone.vae, "decode", lambda *_: True)
    plant(monkeypatch, *own, part=lambda result: result.sample)
    with pytest.raises(NotFinite, match="not finite: decoded frames"):
        editor.edit(inversion, TARGET)


def test_an_encoded_latent_that_is_not_finite_fails_the_inversion(editor, frames, monkeypatch):
    own = (editor.backbone.vae, "encode", lambda *_: True)
    plant(monkeypatch, *own, part=lambda result: result.latent_dist.mean)
    with pytest.raises(NotFinite, match="not finite: latents of the clip"):
        editor.invert(frames, SOURCE)


@pytest.mark.parametrize("make", [STRMatch, DMT, UniEdit])
def test_a_latent_of_an_inversion_that_is_not_finite_fails(make, backbone, frames, monkeypatch):
    editor = make(backbone)
    plant(monkeypatch, backbone, "predict", lambda z, t, _: t == 251)
    editor.settings = dataclasses.replace(editor.settings, num_inference_steps=4)
    with pytest.raises(NotFinite, match=r"latents at inversion step 1 \(timestep 251\)"):
        editor.invert(frames, SOURCE)


def test_a_latent_of_a_generation_that_is_not_finite_fails(backbone, monkeypatch):
    plant(monkeypatch, backbone, "predict", lambda z, t, _: t == 501)
    with pytest.raises(NotFinite, match=r"latents at denoising step 1 \(timestep 501\)"):
        generate(backbone, [SOURCE], num_frames=2)


def test_the_first_value_that_is_not_finite_is_named():
    check, fine, broken = StepCheck("denoising"), torch.ones(3), torch.tensor([1.0, torch.nan])
    check.finish()
    check.record(0, 981, loss=fine.sum(), gradient=fine)
    check.finish()
    check.record(1, 961, loss=fine, latents=broken)
    check.record(2, 941, loss=broken, latents=broken)
    with pytest.raises(NotFinite, match=r"not finite: latents at denoising step 1 \(timestep 961"):
        check.finish()
    check_finite("frames", torch.tensor([60000.0], dtype=torch.float16))
    with pytest.raises(NotFinite, match="not finite: frames"):
        check_finite("frames", torch.tensor([70000.0]).half())
