"""Frame consistency (FC): smoothness of the motion in the edited clip."""

import math
from collections.abc import Callable

import numpy as np

from strmatch.metrics.base import Sample
from strmatch.metrics.interpolation.optical_flow import flow_midpoints

Interpolate = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Maps frames and their successors, uint8 (n, H, W, 3) each, to the middle frames."""


class FrameConsistency:
    """Motion smoothness of VBench (Huang et al., CVPR 2024), of the edited clip alone.

    Every second frame is dropped and interpolated from its two neighbours. The metric is one minus
    the mean absolute difference of dropped and interpolated frames, divided by 255, as in
    `vbench/motion_smoothness.py` (`vfi_score`, `norm`). The last frame of a clip with an even
    number of frames has one neighbour and is ignored.

    Unit: none. Range: 0 to 1, higher is better. NaN: fewer than three frames. Values of different
    interpolators are not comparable. VBench uses AMT-S.

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
