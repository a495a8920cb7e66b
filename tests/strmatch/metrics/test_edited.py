from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from transformers import CLIPModel, CLIPTokenizer

import strmatch.miniature
from strmatch.metrics.base import Sample
from strmatch.metrics.edited import Edited, crop
from strmatch.miniature.scenes import caption, sample_scene, with_attributes
from strmatch.miniature.world import render

FOLDER = Path(strmatch.miniature.__path__[0]) / "weights/clip"
SCENE = sample_scene(3, "test")
COLOUR = "blue" if SCENE.sprites[0].colour != "blue" else "red"
TARGET = with_attributes(SCENE, colour=COLOUR)
OTHER = with_attributes(SCENE, shape="star" if SCENE.sprites[0].shape != "star" else "cross")
SOURCE, EDITED, WRONG = render([SCENE, TARGET, OTHER]).frames.numpy()
HALF = ((SOURCE.astype(int) + EDITED) // 2).astype(np.uint8)


def sample(edited, mask=None):
    return Sample(SOURCE, edited, mask, caption(SCENE), caption(TARGET))


def test_the_edit_the_source_and_another_edit_are_told_apart():
    metric = Edited(FOLDER, "cpu", lambda sample: [caption(OTHER)], crops=False)
    assert metric(sample(EDITED)) > 0.9
    assert metric(sample(SOURCE)) < 0.1
    assert metric(sample(WRONG)) < 0.1
    half = np.concatenate([SOURCE[:8], EDITED[8:]])
    assert metric(sample(half)) == pytest.approx(0.5, abs=0.1)


def test_the_value_is_the_mean_softmax_over_the_prompts():
    """The reference prepares its own inputs and computes in float64."""
    prompts = [caption(TARGET), caption(SCENE), caption(OTHER)]
    model = CLIPModel.from_pretrained(FOLDER, dtype=torch.float32).eval()
    tokens = CLIPTokenizer.from_pretrained(FOLDER)(prompts, padding=True, return_tensors="pt")
    with torch.no_grad():
        said = model.get_text_features(**tokens).pooler_output.double()
        pixels = torch.from_numpy(EDITED).permute(0, 3, 1, 2) / 127.5 - 1
        shown = model.get_image_features(pixels).pooler_output.double()
    said, shown = (part / part.norm(dim=1, keepdim=True) for part in (said, shown))
    odds = (float(model.logit_scale.detach().exp()) * shown @ said.T).exp()
    expected = float((odds[:, 0] / odds.sum(dim=1)).mean())
    metric = Edited(FOLDER, "cpu", lambda sample: [caption(OTHER)], crops=False)
    assert metric(sample(EDITED)) == pytest.approx(expected, abs=1e-4)


def test_crops_lower_the_value_where_they_show_something_else():
    mask = np.zeros(SOURCE.shape[:3], bool)
    mask[:, 20:40, 20:40] = True
    whole, both = (Edited(FOLDER, "cpu", crops=crops) for crops in (False, True))
    assert both(sample(EDITED, mask)) <= whole(sample(EDITED, mask))
    assert both(sample(EDITED)) == whole(sample(EDITED))
    background = sample(EDITED, mask)._replace(where="background")
    assert both(background) == whole(background)


def test_a_crop_follows_the_mask():
    """A mask of 20 × 10 pixels gives a square of 32 pixels around its middle, inside the frame."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), np.uint8)
    mask = np.zeros((3, 64, 96), bool)
    mask[0, 22:42, 43:53] = True  # middle (32, 48)
    mask[2, 0:20, 86:96] = True  # a corner
    found = crop(frames, mask)

    def enlarged(frame):
        return cv2.resize(frame, (64, 64), interpolation=cv2.INTER_CUBIC)

    assert (found[0] == enlarged(frames[0, 16:48, 32:64])).all()
    assert (found[1] == enlarged(frames[1, 16:48, 32:64])).all()  # no mask: the place before
    assert (found[2] == enlarged(frames[2, 0:32, 64:96])).all()
    whole = crop(frames, np.zeros_like(mask))
    assert (whole == frames[:, :, 16:80]).all()


def test_logits_are_averaged_over_copies_of_a_frame():
    """The reference embeds the six copies one by one."""
    prompts = [caption(TARGET), caption(SCENE)]
    metric = Edited(FOLDER, "cpu", crops=False, averaged=True)
    mirrored = HALF[:, :, ::-1]
    every = [HALF, mirrored]
    every += [np.roll(HALF, 3, axis) for axis in (1, 2)]
    every += [np.roll(mirrored, -3, axis) for axis in (1, 2)]
    said = metric.clip.prompts(prompts)
    logits = [metric.clip.scale * metric.clip.frames(frames.copy()) @ said.T for frames in every]
    expected = float(torch.stack(logits).mean(dim=0).softmax(dim=-1)[:, 0].mean())
    assert metric(sample(HALF)) == pytest.approx(expected, abs=1e-5)
    assert Edited(FOLDER, "cpu", crops=False)(sample(HALF)) != pytest.approx(expected, abs=1e-4)
