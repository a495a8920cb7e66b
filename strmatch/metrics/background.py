"""How far the background of an edited clip is from its source's, without weights."""

import math

import cv2
import numpy as np

from strmatch.metrics.base import Sample

DILATION = np.ones((5, 5), np.uint8)
"""Two pixels more all around: at its edge the subject mixes with the background."""
SIGMA = 1.0
"""Of the blur, pixels."""


class BackgroundDifference:
    """Mean colour difference of the background, as S-CIELAB measures that of images.

    S-CIELAB (Zhang and Wandell, 1996) is the CIE 1976 colour difference ΔE*ab of images that were
    blurred as the eye blurs them. Here the blur is a Gaussian of one pixel, and the mean is that of
    all pixels of the clip that lie outside the mask, dilated by two pixels. It stands in for the
    paper's background LPIPS where there are no weights, and does not compare with it.

    Unit: ΔE*ab; about 2 is just noticeable. Range: 0 (equal backgrounds) to some 200, lower is
    better. NaN: without a mask, and where the mask leaves no background.
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
    """L*, a*, b*, float32 (H, W, 3), of what lies in `where`: the blur takes nothing from beside.

    Args:
        frame: uint8 (H, W, 3), RGB.
        where: bool (H, W).
    """
    share = where[..., None].astype(np.float32)
    seen = cv2.GaussianBlur(frame.astype(np.float32) / 255 * share, (0, 0), SIGMA)
    weight = cv2.GaussianBlur(share, (0, 0), SIGMA)[..., None]
    blurred = np.divide(seen, weight, out=np.zeros_like(seen), where=share > 0)
    return cv2.cvtColor(blurred, cv2.COLOR_RGB2LAB)
