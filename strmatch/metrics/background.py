"""Colour difference of the background between source and edited clip, without weights."""

import math

import cv2
import numpy as np

from strmatch.metrics.base import Sample

DILATION = np.ones((5, 5), np.uint8)
"""Dilates the mask by two pixels, because edge pixels mix subject and background."""
SIGMA = 1.0
"""Standard deviation of the blur in pixels."""


class BackgroundDifference:
    """Mean colour difference of the background, after S-CIELAB.

    S-CIELAB (Zhang and Wandell, 1996) is the CIE 1976 colour difference ΔE*ab of images blurred
    according to human spatial sensitivity. Here the blur is a Gaussian of one pixel, and the mean
    covers all pixels of the clip outside the mask, which is dilated by two pixels. The metric
    replaces the paper's background LPIPS if no weights are available. The values are not comparable
    with LPIPS.

    Unit: ΔE*ab (about 2 is just noticeable). Range: 0 (equal backgrounds) to about 200, lower is
    better. NaN: no mask, or a mask that leaves no background.
    """

    def __call__(self, sample: Sample) -> float:
        if sample.mask is None:
            return math.nan
        total, count = 0.0, 0
        for source, edited, mask in zip(sample.source, sample.edited, sample.mask, strict=True):
            outside = cv2.dilate(mask.astype(np.uint8), DILATION) == 0
            difference = _lab(source, outside) - _lab(edited, outside)
            total += float(np.linalg.norm(difference, axis=-1)[outside].sum(dtype=np.float64))
            count += int(outside.sum())
        return total / count if count else math.nan


def _lab(frame: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Blurred L*, a*, b* of the pixels in `where`, computed from those pixels only.

    Args:
        frame: uint8 (H, W, 3), RGB.
        where: bool (H, W).

    Returns:
        float32 (H, W, 3).
    """
    share = where[..., None].astype(np.float32)
    seen = cv2.GaussianBlur(frame.astype(np.float32) / 255 * share, (0, 0), SIGMA)
    weight = cv2.GaussianBlur(share, (0, 0), SIGMA)[..., None]
    blurred = np.divide(seen, weight, out=np.zeros_like(seen), where=share > 0)
    return cv2.cvtColor(blurred, cv2.COLOR_RGB2LAB)
