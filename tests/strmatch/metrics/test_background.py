import math
from itertools import pairwise

import numpy as np
import pytest

from strmatch.metrics.background import BackgroundDifference
from strmatch.miniature.scenes import sample_scene, with_attributes
from strmatch.miniature.world import render
from tests.strmatch.metrics.clips import beside, panned

METRIC = BackgroundDifference()


@pytest.fixture
def clip():
    return panned("smooth", (64, 64), (1, 0), frames=3) // 2 + 40


@pytest.fixture
def mask():
    mask = np.zeros((3, 64, 64), bool)
    mask[:, 20:40, 24:44] = True
    return mask


def test_the_difference_of_equal_clips_is_zero(clip, mask):
    assert METRIC(beside(clip, clip, mask)) == 0
    assert METRIC(beside(clip, clip, np.zeros_like(mask))) == 0


def test_changes_inside_the_mask_do_not_count(clip, mask):
    edited = clip.copy()
    edited[mask] = 255 - edited[mask]
    assert METRIC(beside(clip, edited, mask)) == 0


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_the_difference_increases_with_a_change_outside_the_mask(clip, mask, channel):
    strengths = (1, 2, 4, 8, 16, 32, 64)
    found = []
    for strength in strengths:
        edited = clip.copy()
        edited[~mask, channel] += strength
        found.append(METRIC(beside(clip, edited, mask)))
    assert found[0] > 0.05
    assert all(more > 1.3 * less for less, more in pairwise(found))


def test_the_difference_of_uniform_colours_is_their_distance_in_lab():
    """Red (53.24, 80.09, 67.20) and blue (32.30, 79.19, -107.86) of sRGB are 176.3 apart in Lab."""
    red, blue = (np.full((2, 16, 16, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    mask = np.zeros((2, 16, 16), bool)
    mask[:, :8, :8] = True
    assert METRIC(beside(red, blue, mask)) == pytest.approx(176.3, abs=0.3)


def test_the_difference_is_weighted_by_area(mask):
    """Half of the background changes from black to white, a distance of 100."""
    black = np.zeros((3, 64, 64, 3), np.uint8)
    edited = black.copy()
    edited[:, :, 32:] = 255
    nothing = np.zeros_like(mask)
    assert METRIC(beside(black, edited, nothing)) == pytest.approx(50, abs=2)


def test_the_metric_does_not_apply_without_mask_or_background(clip, mask):
    assert math.isnan(METRIC(beside(clip, clip)))
    assert math.isnan(METRIC(beside(clip, clip, np.ones_like(mask))))


def test_an_exact_recolouring_of_the_subject_counts_almost_nothing():
    """Mixed pixels at the rendered edge are inside the dilated mask."""
    for seed in range(6):
        scene = sample_scene(seed, "test")
        other = "blue" if scene.sprites[0].colour != "blue" else "red"
        clips = render([scene, with_attributes(scene, colour=other)])
        source, edited = clips.frames.numpy()
        assert METRIC(beside(source, edited, clips.masks[0, 0].numpy())) < 0.01


def test_fine_noise_counts_less_than_half_of_a_uniform_change(clip, mask):
    signs = np.random.default_rng(0).choice([-20, 20], (*clip.shape[:3], 1))
    grain, even = (np.uint8(clip + change) for change in (signs, 20))
    assert 0 < METRIC(beside(clip, grain, mask)) < METRIC(beside(clip, even, mask)) / 2
