"""Colour difference of the background between source and edited clip, without weights.

The background is what was not to change: all pixels outside the mask of the edit.
"""

import math

import cv2
import numpy as np

from strmatch.metrics.base import Sample
from strmatch.metrics.colour_difference import colour_difference, dilated

EDGE = 2
"""Pixels by which the mask is dilated, because edge pixels mix subject and background."""
REACH = 0.3
"""Dilation for `BackgroundPeak` by the longer side of the subject's bounding box: another subject
may reach out of the source's outline."""
WINDOW = 1 / 7
"""Side of a window by the shorter side of the frame."""
LEAST_SHARE = 0.2
"""Minimum share of the background in a window."""


class BackgroundDifference:
    """Mean colour difference of the background, after S-CIELAB.

    See `strmatch.metrics.colour_difference`. The mean covers all pixels of the clip outside the
    mask, which is dilated by two pixels. The metric replaces the paper's background LPIPS if no
    weights are available. The values are not comparable with LPIPS.

    Unit: ΔE*ab (about 2 is just noticeable). Range: 0 (equal backgrounds) to about 200, lower is
    better. NaN: no mask, or a mask that leaves no background.
    """

    def __call__(self, sample: Sample) -> float:
        if sample.mask is None:
            return math.nan
        total, count = 0.0, 0
        for source, edited, mask in zip(sample.source, sample.edited, sample.mask, strict=True):
            outside = ~dilated(mask, EDGE)
            difference = colour_difference(source, edited, outside)
            total += float(difference[outside].sum(dtype=np.float64))
            count += int(outside.sum())
        return total / count if count else math.nan


class BackgroundPeak:
    """Largest local colour difference of the background: what else moved, appeared or vanished.

    As `BackgroundDifference`, but of each frame only the window with the largest difference counts,
    a square of a seventh of the frame. The mask of a subject is dilated by 0.3 of its longer
    side, because another subject has another outline.

    Unit: ΔE*ab (about 2 is just noticeable). Range: 0 (equal backgrounds) to about 200, lower is
    better. NaN: no mask, or a mask that leaves no background.
    """

    def __call__(self, sample: Sample) -> float:
        if sample.mask is None:
            return math.nan
        reach = _reach(sample)
        clip = zip(sample.source, sample.edited, sample.mask, strict=True)
        peaks = [_peak(source, edited, ~dilated(mask, reach)) for source, edited, mask in clip]
        seen = [peak for peak in peaks if peak is not None]
        return float(np.mean(seen)) if seen else math.nan


def _reach(sample: Sample) -> int:
    """Dilation of the mask in pixels."""
    if sample.subject is None or sample.where == "background":
        return EDGE
    seen = (np.argwhere(frame) for frame in sample.subject if frame.any())
    sides = [np.ptp(place, axis=0).max() + 1 for place in seen]
    return max(EDGE, round(REACH * float(np.median(sides)))) if sides else EDGE


def _peak(source: np.ndarray, edited: np.ndarray, outside: np.ndarray) -> float | None:
    """The largest mean difference of a window; None if no window has enough background."""
    side = max(3, round(WINDOW * min(outside.shape)))
    difference = np.where(outside, colour_difference(source, edited), 0).astype(np.float32)
    share = _windows(outside.astype(np.float32), side)
    valid = share >= LEAST_SHARE
    return float((_windows(difference, side)[valid] / share[valid]).max()) if valid.any() else None


def _windows(values: np.ndarray, side: int) -> np.ndarray:
    return cv2.blur(values, (side, side), borderType=cv2.BORDER_CONSTANT)
