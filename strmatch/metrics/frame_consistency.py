"""Frame consistency (FC): does each frame lie between its neighbours?"""

import math
from collections.abc import Callable

import numpy as np

from strmatch.metrics.base import Sample
from strmatch.metrics.interpolation import flow_midpoints

Interpolate = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From frames and those after them, uint8 (n, H, W, 3) each, to those half way."""


class FrameConsistency:
    """Motion smoothness of VBench (Huang et al., CVPR 2024), of the edited clip alone.

    Every second frame is dropped and interpolated from its two neighbours; the metric is one minus
    the mean absolute difference of what was dropped and what came instead, over 255, as
    `vbench/motion_smoothness.py` computes it (`vfi_score`, `norm`). The last frame of a clip with
    an even number of them has one neighbour, and does not count.

    Unit: none. Range: 0 to 1, higher is better. NaN: of fewer than three frames. Numbers of
    different interpolators do not compare: VBench has AMT-S.

    Args:
        interpolate: `flow_midpoints`, without weights, or a `RIFE`.
    """

    def __init__(self, interpolate: Interpolate = flow_midpoints) -> None:
        self.interpolate = interpolate

    def __call__(self, sample: Sample) -> float:
        frames = sample.edited
        if len(frames) < 3:
            return math.nan
        before, after = frames[:-2:2], frames[2::2]
        dropped, instead = frames[1:-1:2], self.interpolate(before, after)
        return 1 - float(np.abs(dropped.astype(np.float32) - instead).mean()) / 255
