"""Motion error (ME): difference between the motion of source and edited clip."""

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np

from strmatch.metrics.base import Sample
from strmatch.metrics.flow import flows

Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Maps two frames, uint8 (H, W, 3), to the flow from the first to the second, (H, W, 2)."""


class MotionError:
    """Mean end-point error between the optical flows of source and edited clip, by OpenCV's DIS.

    The paper (arXiv 2506.22868) uses the mean of |flow_src − flow_edit| by RAFT-Large over all
    pixels and all pairs of consecutive frames, see `RaftMotionError`. The values of both metrics
    are not comparable. Optical flow is unreliable in uniform regions and along stripes.

    Unit: pixels per frame, at the clip's size. Range: from 0 (equal motion), lower is better. NaN:
    a single frame.
    """

    def __call__(self, sample: Sample) -> float:
        return _mean_distance(flows(sample.source), flows(sample.edited))


def end_point_error(sample: Sample, flow: Flow) -> float:
    """Mean length of the difference of both clips' flows in pixels. NaN for a single frame."""
    source, edited = (
        (flow(*pair) for pair in pairwise(frames)) for frames in (sample.source, sample.edited)
    )
    return _mean_distance(source, edited)


def _mean_distance(source: Iterable[np.ndarray], edited: Iterable[np.ndarray]) -> float:
    errors = [
        np.linalg.norm(one - other, axis=-1).mean()
        for one, other in zip(source, edited, strict=True)
    ]
    return float(np.mean(errors)) if errors else math.nan
