"""How much an edited clip changes where a window of the backbone begins or ends."""

import math
from collections.abc import Collection
from itertools import pairwise

import numpy as np

from strmatch.metrics.base import Sample
from strmatch.sampling.windows import window_starts


class Seam:
    """Change of the edited clip at borders of windows, by its change elsewhere, against the source.

    The quotient of `seam` for the edited clip by that for the source, inside the mask of the edit.
    At 1, the borders of windows show no more change than the source does at these places.

    Unit: none. Range: from 0, lower is better. NaN: a clip of one window, an empty mask, or a
    source that stands still at the borders or elsewhere.

    Args:
        length: number of frames of a window.
        stride: frames from one window to the next. None: half of `length`.
    """

    def __init__(self, length: int, stride: int | None = None) -> None:
        self.length = length
        self.stride = stride

    def __call__(self, sample: Sample) -> float:
        borders = window_borders(len(sample.source), self.length, self.stride)
        expected = seam(sample.source, borders, sample.mask)
        return seam(sample.edited, borders, sample.mask) / expected if expected else math.nan


def window_borders(num_frames: int, length: int, stride: int | None = None) -> list[int]:
    """Borders of the windows of a clip: first frames and frames after the last one, in order.

    The beginning and the end of the clip are no borders. Arguments and errors as for
    `strmatch.sampling.windows.window_starts`.
    """
    starts = window_starts(num_frames, length, stride)
    return sorted({*starts, *(start + length for start in starts)} & {*range(1, num_frames)})


def seam(frames: np.ndarray, borders: Collection[int], region: np.ndarray | None = None) -> float:
    """Mean change from frame to frame at borders of windows, by the mean change elsewhere.

    The change of a pair of consecutive frames is the mean absolute difference of pixels that are
    inside the region in either of the two frames. Pairs without such pixels are left out.

    Args:
        frames: uint8 (f, H, W, 3).
        borders: the second frame of each pair at a border, 1 to f - 1. See `window_borders`.
        region: bool (f, H, W). None: everywhere.

    Returns:
        From 0. NaN without a pair at a border, or without change elsewhere.
    """
    at_borders: list[float] = []
    elsewhere: list[float] = []
    for place, (before, after) in enumerate(pairwise(frames), start=1):
        change = np.abs(after.astype(np.int16) - before)
        if region is not None:
            change = change[region[place - 1] | region[place]]
        if change.size:
            (at_borders if place in borders else elsewhere).append(float(change.mean()))
    if not (at_borders and any(elsewhere)):
        return math.nan
    return float(np.mean(at_borders) / np.mean(elsewhere))
