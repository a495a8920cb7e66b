"""The tracker `motion`: what moves in front of a still background."""

from itertools import pairwise

import cv2
import numpy as np

from pipelines.config.config import Config
from pipelines.media.foreground import revealed_background
from pipelines.media.masks import largest_region


class MotionTracker:
    """Follows what moves in front of a still background. Needs no weights.

    The subject lies in the convex hull of what changes between neighbouring frames. The background
    of a pixel is its median over the frames in which the pixel lies outside the hull. Inside, a
    pixel that differs from its background belongs to the subject. A clip in which nothing moves, or
    nearly everything does (a moving camera), has no mask. Beyond masks, memory does not grow with
    the clip.
    """

    threshold = 24
    """Least difference that counts as a change, 0–255."""
    smallest, largest = 0.002, 0.5
    """Least and greatest area of a subject, as shares of the frame."""

    def __init__(self, config: Config) -> None:
        pass

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray | None:
        hulls = self._hulls(frames)
        background, seen = revealed_background(frames, hulls)
        mask = np.zeros(frames.shape[:3], bool)
        for index, (frame, hull) in enumerate(zip(frames, hulls, strict=True)):
            differs = np.abs(frame - background).max(axis=-1) > self.threshold
            mask[index] = largest_region(_tidy(hull & (differs | ~seen)))
        areas = mask.mean(axis=(1, 2))
        plausible = np.median(areas) >= self.smallest and areas.max() <= self.largest
        return mask if plausible else None

    def _hulls(self, frames: np.ndarray) -> np.ndarray:
        """Convex hull of the pixels that differ from the previous or next frame, bool (f, H, W)."""
        steps = np.zeros((len(frames) - 1, *frames.shape[1:3]), bool)
        for step, (before, after) in zip(steps, pairwise(frames), strict=True):
            step[:] = cv2.absdiff(before, after).max(axis=-1) > self.threshold
        none = np.zeros_like(steps[:1])
        changes = np.concatenate([none, steps]) | np.concatenate([steps, none])
        hulls = np.zeros(changes.shape, np.uint8)
        for hull, change in zip(hulls, changes, strict=True):
            points = cv2.findNonZero(change.astype(np.uint8))
            if points is not None:
                cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
        return hulls.astype(bool)


def _tidy(frame: np.ndarray) -> np.ndarray:
    """Close holes in a mask, bool (H, W), and remove thin lines. Returns uint8 (H, W)."""
    kernel = np.ones((3, 3), np.uint8)
    closed = cv2.morphologyEx(frame.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel)
