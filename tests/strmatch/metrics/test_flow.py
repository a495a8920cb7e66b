from itertools import pairwise

import numpy as np
import pytest

from strmatch.metrics.flow import flow, flows, pan, warp
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render
from tests.strmatch.metrics.clips import SIZES, TEXTURES, panned


@pytest.mark.parametrize("name", TEXTURES)
@pytest.mark.parametrize("size", SIZES)
def test_the_flow_of_a_shifted_frame_is_the_shift(name, size):
    first, second = panned(name, size, (3, 0), frames=2)
    found = flow(first, second)
    assert (found.dtype, found.shape) == (np.float32, (*size, 2))
    assert np.median(found, axis=(0, 1)) == pytest.approx([3, 0], abs=0.1)


def test_the_y_axis_points_down():
    assert np.median(flow(*panned("smooth", (64, 64), (-1, 2), frames=2)), axis=(0, 1)) == (
        pytest.approx([-1, 2], abs=0.1)
    )


def test_a_fast_pan_of_a_small_clip_is_found():
    found = flow(*panned("noise", (64, 64), (9, 0), frames=2))
    assert np.median(found, axis=(0, 1)) == pytest.approx([9, 0], abs=0.1)


def test_the_flow_between_equal_frames_is_exactly_zero():
    for name in TEXTURES:
        frame = panned(name, (64, 64), (0, 0), frames=1)[0]
        assert not flow(frame, frame).any()


@pytest.mark.parametrize("kind", ["core", "textured", "harder_motion", "moving_background"])
def test_the_flow_of_rendered_clips_is_near_the_exact_flow(kind):
    """Compared with the exact flow over all pixels. Within flat figures, flow is ambiguous."""
    clips = render([sample_scene(seed, "test", kind) for seed in range(4)])
    errors = [
        np.linalg.norm(flow(*clips.frames[row, time : time + 2].numpy()) - truth.numpy(), axis=-1)
        for row in range(4)
        for time, truth in enumerate(clips.flow[row])
    ]
    assert np.mean(errors) < 0.3
    assert np.median(errors) < 0.05


def test_the_pan_is_the_motion_of_most_of_the_frame():
    first, second = panned("smooth", (64, 64), (-4, 3), frames=2)
    second[20:40, 20:40] = 200
    assert pan(first[..., 0].copy(), second[..., 0].copy()).tolist() == [-4, 3]
    flat = np.full((64, 64), 90, np.uint8)
    assert pan(flat, flat).tolist() == [0, 0]


def test_warping_samples_at_the_end_of_the_flow():
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    to_the_right = np.tile(np.float32([1, 0]), (4, 5, 1))
    assert np.array_equal(warp(image, to_the_right), image[:, [1, 2, 3, 4, 4]])
    assert warp(image, np.tile(np.float32([0, 0.5]), (4, 5, 1)))[0, 0] == 2.5


def test_the_flows_of_a_clip_are_those_of_its_frames_also_after_a_change():
    clip = panned("smooth", (64, 64), (1, 2), frames=4)
    for _ in range(2):
        assert np.array_equal(flows(clip), [flow(*pair) for pair in pairwise(clip)])
        clip[2] = 255 - clip[2]
    assert flows(clip) is flows(clip.copy())
    assert flows(clip[:1]).shape == (0, 64, 64, 2)
