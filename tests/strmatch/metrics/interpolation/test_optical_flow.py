import numpy as np
import pytest

from strmatch.metrics.interpolation.optical_flow import flow_midpoints
from tests.strmatch.metrics.clips import panned


def test_the_midpoint_of_equal_frames_is_the_same_frame():
    frames = panned("noise", (48, 64), (0, 0), frames=3)
    assert np.array_equal(flow_midpoints(frames, frames), frames)


@pytest.mark.parametrize("step", [(1, 0), (0, -2), (3, 1)])
def test_uniform_motion_is_interpolated_half_way(step):
    clip = panned("smooth", (64, 64), step, frames=5)
    middle = flow_midpoints(clip[:-2:2], clip[2::2])
    assert (middle.shape, middle.dtype) == ((2, 64, 64, 3), np.uint8)
    inside = np.s_[:, 8:-8, 8:-8]
    error = np.abs(middle[inside].astype(float) - clip[1:-1:2][inside]).mean()
    average = (clip[:-2:2].astype(float) + clip[2::2]) / 2
    assert error < 2
    assert error < 0.2 * np.abs(average[inside] - clip[1:-1:2][inside]).mean()
