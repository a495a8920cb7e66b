"""Trackers without weights on clips of a minute: the subject throughout, in bounded memory."""

import tracemalloc

import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.trackers.contrast import ContrastTracker
from pipelines.trackers.motion import MotionTracker


def swinging(frames, height=48, width=80, side=14):
    """A red square that moves to and fro by two pixels a frame in front of green, and its mask."""
    clip = np.full((frames, height, width, 3), (90, 140, 90), np.uint8)
    mask = np.zeros(clip.shape[:3], bool)
    reach = width - side - 8
    for index in range(frames):
        left = 4 + abs(2 * index % (2 * reach) - reach)
        mask[index, 16 : 16 + side, left : left + side] = True
    clip[mask] = (200, 30, 30)
    return clip, mask


@pytest.mark.parametrize(("tracker", "most"), [(ContrastTracker, 4), (MotionTracker, 2.5)])
def test_a_subject_is_followed_for_480_frames_in_bounded_memory(tracker, most):
    """The peak is given in bytes of the clip, and was 17 with all frames as floats."""
    clip, exact = swinging(480)
    follow = tracker(load_config())
    tracemalloc.start()
    found = follow(clip, "a red square")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found & exact).sum() / (found | exact).sum() > 0.85
    assert (found & exact).any(axis=(1, 2)).mean() > 0.99
    assert peak < most * clip.nbytes
