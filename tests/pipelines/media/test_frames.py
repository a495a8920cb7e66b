import numpy as np
import pytest

from pipelines.media.frames import sample


@pytest.mark.parametrize(
    ("length", "count", "expected"),
    [
        (16, 4, [2, 6, 10, 14]),
        (16, 1, [8]),
        (5, 2, [1, 3]),
        (3, 3, [0, 1, 2]),
        (3, 8, [0, 1, 2]),
    ],
)
def test_sampled_frames_are_the_middles_of_equal_parts(length, count, expected):
    frames = np.zeros((length, 4, 6, 3), np.uint8)
    frames[:, 1, 2, 0] = np.arange(length)
    images = sample(frames, count)
    assert [image.size for image in images] == [(6, 4)] * len(expected)
    assert [image.getpixel((2, 1)) for image in images] == [(at, 0, 0) for at in expected]
