import math

import numpy as np
import pytest

from strmatch.metrics.motion_error import MotionError, end_point_error
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render
from tests.strmatch.metrics.clips import SIZES, TEXTURES, beside, panned


@pytest.mark.parametrize("name", TEXTURES)
@pytest.mark.parametrize("size", SIZES)
def test_a_shift_of_three_pixels_per_frame_is_measured_within_a_tenth(name, size):
    still = panned(name, size, (0, 0), frames=3)
    right, left = (panned(name, size, (step, 0), frames=3) for step in (3, -3))
    assert MotionError()(beside(still, right)) == pytest.approx(3, rel=0.1)
    assert MotionError()(beside(left, still)) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("name", TEXTURES)
def test_a_rolled_texture_is_measured_within_a_tenth(name):
    still = panned(name, (64, 64), (0, 0), frames=6, seed=1)
    moving = np.stack([np.roll(frame, 3 * time, axis=1) for time, frame in enumerate(still)])
    assert MotionError()(beside(still, moving)) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("seed", range(6))
def test_a_rolled_clip_of_the_small_world_is_measured_within_a_tenth(seed):
    still = render([sample_scene(seed, "test")]).frames[0, :1].numpy().repeat(4, axis=0)
    moving = np.stack([np.roll(frame, 3 * time, axis=1) for time, frame in enumerate(still)])
    assert MotionError()(beside(still, moving)) == pytest.approx(3, rel=0.1)


def test_the_error_of_equal_clips_is_zero():
    for clip in (
        panned("noise", (64, 64), (2, 1)),
        render([sample_scene(5, "test", "moving_background")]).frames[0].numpy(),
    ):
        assert MotionError()(beside(clip, clip)) == 0


def test_a_recoloured_clip_of_equal_motion_has_a_small_error():
    clip = panned("smooth", (64, 64), (3, 0))
    assert MotionError()(beside(clip, 255 - clip)) < 0.1


def test_the_error_is_the_mean_length_of_the_flow_difference():
    clip = np.zeros((3, 4, 4, 3), np.uint8)
    edited = clip + 1
    right, down = np.full((4, 4, 2), (3.0, 0.0)), np.full((4, 4, 2), (0.0, 4.0))
    assert end_point_error(beside(clip, edited), lambda a, b: down if a.any() else right) == 5


def test_the_metric_does_not_apply_to_one_frame():
    clip = panned("smooth", (64, 64), (0, 0), frames=1)
    assert math.isnan(MotionError()(beside(clip, clip)))
