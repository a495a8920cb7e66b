import math

import numpy as np
import pytest

from strmatch.metrics.frame_consistency import FrameConsistency
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render
from tests.strmatch.metrics.clips import beside, panned


def average(before, after):
    return (before.astype(np.float32) + after) / 2


def test_the_value_is_one_minus_the_mean_difference_over_255():
    """Odd frames 10 and 40 are compared with the averages 0 and 20 of their neighbours."""
    clip = (
        np.full((6, 8, 8, 3), 1, np.uint8) * np.uint8([0, 10, 0, 40, 40, 200])[:, None, None, None]
    )
    expected = 1 - (10 + 20) / 2 / 255
    assert FrameConsistency(average)(beside(clip, clip)) == pytest.approx(expected)


def test_the_value_depends_only_on_the_edited_clip():
    edited = panned("smooth", (64, 64), (2, 0))
    metric = FrameConsistency()
    assert metric(beside(np.zeros_like(edited), edited)) == metric(beside(edited, edited))


def test_a_still_clip_has_the_maximum_value():
    clip = panned("noise", (64, 64), (0, 0), frames=5)
    assert FrameConsistency()(beside(clip, clip)) == 1


def test_the_metric_does_not_apply_to_two_frames():
    clip = panned("smooth", (64, 64), (2, 0), frames=2)
    assert math.isnan(FrameConsistency()(beside(clip, clip)))


@pytest.mark.parametrize("kind", ["core", "harder_motion", "moving_background"])
def test_shuffled_frames_triple_the_difference_and_lower_the_value_by_0_003(kind):
    metric = FrameConsistency()
    order = np.random.default_rng(0).permutation(16)
    scenes = [sample_scene(seed, "test", kind) for seed in range(20)]
    moving = [scene for scene in scenes if scene.sprites[0].motion != "still" or any(scene.drift)]
    for clip in render(moving[:6]).frames.numpy():
        ordered, shuffled = metric(beside(clip, clip)), metric(beside(clip, clip[order]))
        assert shuffled < ordered - 0.003
        assert 1 - shuffled > 3 * (1 - ordered)


def test_a_shuffled_texture_lowers_the_value_by_a_tenth():
    clip = panned("smooth", (64, 64), (3, 0), frames=8)
    metric = FrameConsistency()
    ordered, shuffled = (metric(beside(clip, c)) for c in (clip, clip[[0, 5, 2, 7, 1, 6, 3, 4]]))
    assert ordered > 0.98
    assert shuffled < ordered - 0.1
