"""Rejects clips of a video that are black, static, or near-duplicates."""

import cv2
import numpy as np

from pipelines.config.clip import Clip
from pipelines.errors import Rejected
from pipelines.media.shots import is_black

PLACES = 16
"""A frame is compared by the mean colours of PLACES × PLACES regions. Video coding changes a mean
by less than 10 (0–255), motion in the region by tens."""


class ClipFilter:
    """Checks the clips of one video, in order."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self._taken: list[tuple[str, np.ndarray]] = []

    def __call__(self, frames: np.ndarray, start: float, fps: float) -> None:
        """Check a clip.

        Args:
            frames: uint8, (f, H, W, 3).
            start: first frame's time in the source, seconds.
            fps: frames per second.

        Raises:
            Rejected: Black, Static or Duplicate, by the settings `clip.skip_…`.
        """
        black, static = self.clip.skip_black, self.clip.skip_static
        duplicates = self.clip.skip_duplicates
        span = f"{start:g} s to {start + len(frames) / fps:g} s"
        if black is not None and np.mean([is_black(frame, black) for frame in frames]) > 0.5:
            raise Rejected("Black", f"{span} is black (clip.skip_black, {black})")
        places = _places(frames)
        if static is not None and _shown(places, places[:1], static):
            raise Rejected("Static", f"{span} does not change (clip.skip_static, {static})")
        if duplicates is not None:
            for taken, shown in self._taken:
                if _shown(places, shown, duplicates):
                    told = f"{span} shows what {taken} showed (clip.skip_duplicates, {duplicates})"
                    raise Rejected("Duplicate", told)
            self._taken.append((span, places))


def _places(frames: np.ndarray) -> np.ndarray:
    """Returns the mean colours of the regions of frames: int16, (f, PLACES, PLACES, 3)."""
    size = (PLACES, PLACES)
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
    return np.stack(small).astype(np.int16)


def _shown(frames: np.ndarray, others: np.ndarray, limit: int) -> bool:
    """Whether for every frame there is another one that differs in no region by more than `limit`.

    Args:
        frames, others: mean colours, as `_places` returns them.
    """
    return all(np.abs(frame - others).max(axis=(1, 2, 3)).min() <= limit for frame in frames)
