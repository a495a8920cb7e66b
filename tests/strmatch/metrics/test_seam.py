import math

import numpy as np
import pytest

from strmatch.metrics.seam import Seam, seam, window_borders
from strmatch.sampling.windows import find_windows
from tests.strmatch.metrics.clips import beside, panned


@pytest.fixture
def clip():
    return panned("noise", (24, 32), (1, 0), frames=12)


@pytest.fixture
def region():
    """A square that moves right by one pixel a frame; it is empty in the last three frames."""
    region = np.zeros((12, 24, 32), bool)
    for time in range(9):
        region[time, 5:15, 3 + time : 13 + time] = True
    return region


def written_out(frames, borders, region):
    at_borders, elsewhere = [], []
    for place in range(1, len(frames)):
        changes = [
            abs(int(frames[place, y, x, c]) - int(frames[place - 1, y, x, c]))
            for y in range(frames.shape[1])
            for x in range(frames.shape[2])
            for c in range(3)
            if region[place, y, x] or region[place - 1, y, x]
        ]
        if changes:
            pairs = at_borders if place in borders else elsewhere
            pairs.append(sum(changes) / len(changes))
    return (sum(at_borders) / len(at_borders)) / (sum(elsewhere) / len(elsewhere))


def test_the_seam_equals_a_loop_over_pixels(clip, region):
    clip = np.random.default_rng(0).integers(0, 256, clip.shape, np.uint8)
    everywhere = np.ones_like(region)
    for borders in ([3], [2, 5, 11]):
        assert seam(clip, borders, region) == pytest.approx(written_out(clip, borders, region))
        assert seam(clip, borders) == pytest.approx(written_out(clip, borders, everywhere))


@pytest.mark.parametrize(
    ("num_frames", "length", "stride"), [(48, 16, 8), (50, 16, None), (9, 4, 3)]
)
def test_borders_are_the_beginnings_and_ends_of_windows_inside_the_clip(num_frames, length, stride):
    windows = find_windows(num_frames, length, stride)
    expected = {window.start for window in windows} | {window.stop for window in windows}
    assert window_borders(num_frames, length, stride) == sorted(expected - {0, num_frames})


def test_a_clip_of_one_window_has_no_borders(clip):
    assert window_borders(12, 12) == window_borders(12, 16) == []
    assert math.isnan(seam(clip, []))
    assert math.isnan(Seam(16)(beside(clip, clip)))


def test_the_seam_of_an_unchanged_clip_is_one(clip, region):
    assert Seam(4, 2)(beside(clip, clip, region)) == 1
    assert Seam(4)(beside(clip, 255 - clip)) == pytest.approx(1)


def test_a_jump_at_a_border_is_a_seam_and_elsewhere_is_none(clip):
    smooth = (clip // 4 + 40).astype(np.uint8)
    for place, seen in ((8, True), (9, False)):
        jumps = smooth.copy()
        jumps[place:] += 120
        value = Seam(8)(beside(smooth, jumps))  # borders at 4 and 8
        assert value > 2 if seen else value < 1


def test_only_the_region_counts(clip, region):
    jumps = (clip // 2).astype(np.uint8)
    source = jumps.copy()
    outside = ~(region | np.roll(region, 1, axis=0) | np.roll(region, -1, axis=0))
    jumps[4:][outside[4:]] += 100
    assert Seam(4)(beside(source, jumps, region)) == pytest.approx(1)
    assert Seam(4)(beside(source, jumps)) > 1.1


def test_a_source_that_stands_still_has_no_seam(clip):
    still = np.repeat(clip[:1], 12, axis=0)
    assert math.isnan(seam(still, [4]))
    assert math.isnan(Seam(4)(beside(still, clip)))
    assert math.isnan(Seam(4)(beside(clip, clip, np.zeros(clip.shape[:3], bool))))
