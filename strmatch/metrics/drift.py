"""How much the colour of what was edited changes from the beginning to the end of a clip."""

import math

import cv2
import numpy as np

from strmatch.metrics.base import Sample


class Drift:
    """Change of the mean colour of the edited region over the clip that the source does not have.

    See `drift`. The region is the mask of the edit; without a mask, the whole frame.

    Unit: ΔE*ab (about 2 is just noticeable). Range: from 0, lower is better. NaN: a single frame,
    or an empty mask in the first or the last second.
    """

    def __call__(self, sample: Sample) -> float:
        return drift(sample.source, sample.edited, sample.mask, sample.fps)


def drift(
    source: np.ndarray, edited: np.ndarray, region: np.ndarray | None, fps: float | None
) -> float:
    """Length of the edit's change of mean colour minus that of the source, both vectors in CIELAB.

    A change is the mean L*, a*, b* of the region in the last second minus that in the first one.
    The mean covers all pixels of the region in these frames. A clip of less than two seconds has a
    first and a last half instead.

    Args:
        source, edited: uint8 (f, H, W, 3), RGB.
        region: bool (f, H, W). None: everywhere.
        fps: frames per second. None: not known, halves are compared.

    Returns:
        ΔE*ab (CIE 1976). NaN for a single frame, or without a region at the beginning or the end.
    """
    half = len(source) // 2
    count = half if fps is None else min(half, max(1, round(fps)))
    if not count:
        return math.nan
    first, last = slice(count), slice(len(source) - count, None)
    changes = [
        _mean_colour(clip, region, last) - _mean_colour(clip, region, first)
        for clip in (source, edited)
    ]
    return float(np.linalg.norm(changes[1] - changes[0]))


def _mean_colour(clip: np.ndarray, region: np.ndarray | None, part: slice) -> np.ndarray:
    """Mean L*, a*, b* inside the region, float64 (3,). NaN without a region."""
    total, count = np.zeros(3), 0
    inside = np.ones(clip.shape[:3], bool) if region is None else region
    for frame, chosen in zip(clip[part], inside[part], strict=True):
        pixels = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[chosen]
        total += pixels.sum(axis=0, dtype=np.float64)
        count += len(pixels)
    return total / count if count else np.full(3, np.nan)
