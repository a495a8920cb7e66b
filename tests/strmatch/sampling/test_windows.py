import math

import pytest

from strmatch.sampling.windows import find_windows, window_starts


@pytest.mark.parametrize(
    ("frames", "length", "stride", "expected"),
    [
        (16, 16, None, [0]),
        (5, 16, None, [0]),
        (17, 16, None, [0, 1]),
        (24, 16, None, [0, 8]),
        (48, 16, None, [0, 8, 16, 24, 32]),
        (47, 16, None, [0, 8, 16, 24, 31]),
        (48, 16, 16, [0, 16, 32]),
        (50, 16, 16, [0, 16, 32, 34]),
        (6, 4, 1, [0, 1, 2]),
        (3, 1, None, [0, 1, 2]),
    ],
)
def test_windows_follow_by_the_stride_and_end_with_the_clip(frames, length, stride, expected):
    assert window_starts(frames, length, stride) == expected


@pytest.mark.parametrize("stride", [0, 17])
def test_a_stride_beyond_a_window_is_refused(stride):
    with pytest.raises(ValueError, match=f"window_stride must be from 1 to 16.*got {stride}"):
        find_windows(48, 16, stride)


@pytest.mark.parametrize("weights", ["triangular", "hann", "uniform"])
@pytest.mark.parametrize(("frames", "stride"), [(48, 8), (47, 5), (80, 16), (7, None)])
def test_the_weights_of_every_frame_sum_to_one(frames, stride, weights):
    windows = find_windows(frames, 16, stride, weights)
    totals = [0.0] * frames
    for window in windows:
        assert len(window.weights) == window.stop - window.start == min(16, frames)
        for frame, weight in zip(range(window.start, window.stop), window.weights, strict=True):
            assert weight > 0
            totals[frame] += weight
    assert totals == pytest.approx([1.0] * frames, abs=1e-12)


def test_weights_follow_the_formula():
    def triangular(place):
        return 1 - abs(2 * place - 1)

    def hann(place):
        return math.sin(math.pi * place) ** 2

    for name, h in (("triangular", triangular), ("hann", hann)):
        first, second = find_windows(6, 4, 2, name)
        # Frame 2 is the third of the first window and the first of the second one.
        assert first.weights[2] == pytest.approx(h(2.5 / 4) / (h(2.5 / 4) + h(0.5 / 4)))
        assert second.weights[0] == pytest.approx(h(0.5 / 4) / (h(2.5 / 4) + h(0.5 / 4)))
        assert first.weights[:2] == second.weights[2:] == (1.0, 1.0)
