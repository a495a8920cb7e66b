"""The tracker `motion`: what moves before a still background."""

import cv2
import numpy as np

from pipelines.media.masks import largest_region


class MotionTracker:
    """What moves before a still background, without any weights.

    The hull of all that changes from one frame to its neighbours holds the subject. What a pixel
    shows in the frames where it lies outside the hull is background; inside, whatever differs
    from that is the subject. A clip in which nothing moves, or nearly everything (the camera),
    has no mask.
    """

    threshold = 24
    """Difference, of 255, that counts as a change."""
    smallest, largest = 0.002, 0.5
    """Shares of the frame between which a subject lies."""

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray | None:
        hulls = self._hulls(frames.astype(np.int16))
        outside = np.ma.masked_array(frames, np.repeat(hulls[..., None], 3, axis=-1))
        background = np.ma.median(outside, axis=0)
        seen = ~np.ma.getmaskarray(background)[..., 0]
        differs = np.abs(frames - background.filled(0)).max(axis=-1) > self.threshold
        changed = hulls & (differs | ~seen)
        mask = np.stack([largest_region(_tidy(frame)) for frame in changed])
        areas = mask.mean(axis=(1, 2))
        plausible = np.median(areas) >= self.smallest and areas.max() <= self.largest
        return mask if plausible else None

    def _hulls(self, frames: np.ndarray) -> np.ndarray:
        """bool (f, H, W): the convex hull of what differs from the frame before or after."""
        steps = np.abs(np.diff(frames, axis=0)).max(axis=-1) > self.threshold
        none = np.zeros_like(steps[:1])
        changes = np.concatenate([none, steps]) | np.concatenate([steps, none])
        hulls = np.zeros(changes.shape, np.uint8)
        for hull, change in zip(hulls, changes, strict=True):
            points = cv2.findNonZero(change.astype(np.uint8))
            if points is not None:
                cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
        return hulls.astype(bool)


def _tidy(frame: np.ndarray) -> np.ndarray:
    """bool (H, W) without holes and whiskers, as uint8."""
    kernel = np.ones((3, 3), np.uint8)
    closed = cv2.morphologyEx(frame.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel)
