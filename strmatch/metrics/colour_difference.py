"""Perceived colour differences between two frames, after S-CIELAB, without weights."""

import cv2
import numpy as np

SIGMA = 1.0
"""Standard deviation of the blur in pixels."""


def colour_difference(
    source: np.ndarray, edited: np.ndarray, where: np.ndarray | None = None
) -> np.ndarray:
    """Colour difference ΔE*ab of every pixel.

    S-CIELAB (Zhang and Wandell, 1996) is the CIE 1976 colour difference of images blurred according
    to human spatial sensitivity. Here the blur is a Gaussian of one pixel.

    Args:
        source, edited: uint8 (H, W, 3), RGB.
        where: bool (H, W), the pixels that are compared, and that the blur takes into account.
            None: all.

    Returns:
        float32 (H, W), from 0 (equal) to about 200; 2 is just noticeable. Arbitrary outside
        `where`.
    """
    chosen = np.ones(source.shape[:2], bool) if where is None else where
    return np.linalg.norm(_lab(source, chosen) - _lab(edited, chosen), axis=-1)


def _lab(frame: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Blurred L*, a*, b* of the pixels in `where`, float32 (H, W, 3)."""
    share = where[..., None].astype(np.float32)
    seen = cv2.GaussianBlur(frame.astype(np.float32) / 255 * share, (0, 0), SIGMA)
    weight = cv2.GaussianBlur(share, (0, 0), SIGMA)[..., None]
    blurred = np.divide(seen, weight, out=np.zeros_like(seen), where=share > 0)
    return cv2.cvtColor(blurred, cv2.COLOR_RGB2LAB)


def dilated(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Dilate a mask, bool (H, W), by a number of pixels in every direction."""
    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0
