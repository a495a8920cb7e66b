"""Whether the subject of an edited clip moves as the subject of the source."""

import math

import numpy as np

from strmatch.metrics.background import EDGE
from strmatch.metrics.base import Sample
from strmatch.metrics.colour_difference import dilated
from strmatch.metrics.flow import flows

STILL = 0.5
"""Pixels a frame, which are added to the speed of the subject: errors of the flow in a subject that
stands still."""


class SubjectMotion:
    """End-point error between the optical flows of both clips inside the subject, by its speed.

    Σ|flow_src − flow_edit| / Σ(max(|flow_src|, |flow_edit|) + ½ pixel), the means over the pixels
    of the subject's mask, dilated by two pixels, summed over the pairs of consecutive frames, by
    OpenCV's DIS. Optical flow is unreliable in uniform regions, and a frozen subject has about 0.7
    instead of 1.

    Unit: share of the speed. Range: 0 (equal motion) to 2 (opposite motion), lower is better. NaN:
    no mask, an empty mask, or a single frame.
    """

    def __call__(self, sample: Sample) -> float:
        if sample.subject is None:
            return math.nan
        error, speed = 0.0, 0.0
        pairs = zip(flows(sample.source), flows(sample.edited), strict=True)
        for mask, (before, after) in zip(sample.subject, pairs, strict=False):  # one mask is left
            if not mask.any():
                continue
            inside = dilated(mask, EDGE)
            source, edited = before[inside], after[inside]
            error += float(_length(source - edited))
            speed += float(max(_length(source), _length(edited))) + STILL
        return error / speed if speed else math.nan


def _length(vectors: np.ndarray) -> np.floating:
    """Mean length of vectors, (n, 2)."""
    return np.linalg.norm(vectors, axis=-1).mean()
