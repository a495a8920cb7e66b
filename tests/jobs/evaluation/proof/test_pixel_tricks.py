from dataclasses import replace

import numpy as np
import pytest

from jobs.evaluation.proof import pixel_tricks
from jobs.evaluation.proof.settings import SETTINGS
from jobs.evaluation.proof.worlds import draw_training, render_all
from strmatch.miniature.scenes import with_attributes


@pytest.fixture(scope="module")
def scenes():
    return [one.scene for one in draw_training(SETTINGS[0], 6, 1.0, seed=5)]


@pytest.fixture(scope="module")
def rendered(scenes):
    return render_all(scenes)


def test_a_hue_shift_changes_colours_inside_the_masks_only(rendered):
    clips, masks = rendered
    shifted = pixel_tricks.hue_shift(clips, masks, seed=1)
    assert (shifted[~masks] == clips[~masks]).all()
    for new, old, mask in zip(shifted, clips, masks, strict=True):
        assert np.abs(new[mask].astype(float) - old[mask]).max(axis=-1).mean() > 40
    brightest = [part[masks].max(axis=-1).astype(int) for part in (shifted, clips)]
    assert np.abs(brightest[0] - brightest[1]).max() <= 1  # the value of HSV


def test_paste_keeps_the_figure_and_shows_the_background_of_another_clip(scenes, rendered):
    clips, masks = rendered
    pasted = pixel_tricks.paste(clips, masks, seed=1)
    assert (pasted[masks] == clips[masks]).all()
    for index, scene in enumerate(scenes):
        found = {
            other.background
            for other in scenes
            if other != scene and _apart(pasted[index], _with(scene, other), ~masks[index]) < 2
        }
        assert len(found) == 1


def _with(scene, other):
    """The scene with the background of another, shifted as there."""
    behind = replace(with_attributes(scene, background=other.background), phase=other.phase)
    return render_all([behind])[0][0]


def _apart(one, other, where):
    return np.abs(one[where].astype(float) - other[where]).mean()


def test_jitter_changes_every_clip_and_makes_some_grey(rendered):
    clips, _ = rendered
    many = np.concatenate([clips] * 4)
    jittered = pixel_tricks.jitter(many, seed=1)
    assert jittered.dtype == np.uint8 and jittered.shape == many.shape
    assert (np.abs(jittered.astype(float) - many).mean(axis=(1, 2, 3, 4)) > 3).all()
    assert (pixel_tricks.jitter(many, seed=1) == jittered).all()
    assert (pixel_tricks.jitter(many, seed=2) != jittered).any()
