import math
from itertools import pairwise

import cv2
import numpy as np
import pytest

from strmatch.metrics.background import BackgroundDifference, BackgroundPeak
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


PEAK = BackgroundPeak()


def square(colour, at, side=12):
    """A square on grey that moves to the right by 2 pixels a frame, and its mask."""
    frames, mask = np.full((8, 64, 64, 3), 128, np.uint8), np.zeros((8, 64, 64), bool)
    for index in range(8):
        y, x = at[0], at[1] + 2 * index
        mask[index, y : y + side, x : x + side] = True
    frames[mask] = colour
    return frames, mask


def test_the_peak_of_a_patch_is_the_difference_of_its_colours():
    """A patch of 30 × 30 pixels contains a window, whose difference is that of the two greys."""
    source, mask = square((255, 0, 0), (4, 4))
    edited = source.copy()
    edited[:, 30:60, 30:60] = 168
    lightness = cv2.cvtColor(np.float32([[[128] * 3, [168] * 3]]) / 255, cv2.COLOR_RGB2LAB)[0, :, 0]
    expected = lightness[1] - lightness[0]
    assert PEAK(beside(source, edited, mask)) == pytest.approx(expected, abs=0.1)
    assert METRIC(beside(source, edited, mask)) < expected / 3


def test_the_peak_shows_what_appeared_vanished_or_stayed_behind():
    source, mask = square((255, 0, 0), (20, 10))
    recoloured, _ = square((0, 0, 255), (20, 10))
    assert PEAK(beside(source, recoloured, mask)) < 1
    appeared = np.where(square((0, 255, 0), (45, 20))[1][..., None], 255, recoloured)
    assert PEAK(beside(source, appeared.astype(np.uint8), mask)) > 30
    assert PEAK(beside(appeared.astype(np.uint8), recoloured, mask)) > 30  # vanished
    frozen = np.repeat(recoloured[:1], 8, axis=0)
    assert PEAK(beside(source, frozen, mask)) > 15


def test_the_peak_of_an_edited_background_is_measured_at_the_subject():
    source, subject = square((255, 0, 0), (20, 10))
    edited = np.where(subject[..., None], source, 255 - source)
    kept = beside(source, edited, ~subject)._replace(where="background")
    assert PEAK(kept) < 3
    lost = beside(source, np.full_like(source, 127), ~subject)._replace(where="background")
    assert PEAK(lost) > 30


def test_the_peak_needs_a_background():
    source, mask = square((255, 0, 0), (20, 10))
    assert math.isnan(PEAK(beside(source, source, None)))
    assert math.isnan(PEAK(beside(source, source, np.ones_like(mask))))
    assert PEAK(beside(source, source, mask)) == 0
