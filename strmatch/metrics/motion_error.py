"""Motion error (ME): does the edited clip move as its source does?"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from strmatch.metrics.base import Sample
from strmatch.metrics.flow import flow

Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From two frames, uint8 (H, W, 3), to the flow from the first to the second, (H, W, 2)."""


class MotionError:
    """Mean end-point error between the optical flows of source and edited clip, by OpenCV's DIS.

    The paper (arXiv 2506.22868) takes the mean of |flow_src − flow_edit| by RAFT-Large, over all
    pixels and all pairs of frames that follow each other: see `RaftMotionError`, with which this
    one's numbers do not compare. Motion is seen where there is something to see: within an even
    surface, or along the stripes of a pattern, an optical flow is a guess.

    Unit: pixels a frame, at the clip's own size. Range: from 0 (equal motion), lower is better.
    NaN: of one frame.
    """

    def __call__(self, sample: Sample) -> float:
        return end_point_error(sample, flow)


def end_point_error(sample: Sample, flow: Flow) -> float:
    """The mean length of the difference of both clips' flows, pixels; NaN of one frame."""
    errors = [
        np.linalg.norm(flow(*before) - flow(*after), axis=-1).mean()
        for before, after in zip(pairwise(sample.source), pairwise(sample.edited), strict=True)
    ]
    return float(np.mean(errors)) if errors else math.nan
