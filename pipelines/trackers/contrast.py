"""The tracker `contrast`: what differs in colour from everything along the border of the frame."""

import re
from collections.abc import Sequence

import numpy as np

from pipelines.config.config import Config
from pipelines.media.foreground import find_objects
from pipelines.media.objects import separate_objects
from pipelines.trackers.base import Found

COLOURS = {
    "red": (220, 40, 40), "orange": (250, 140, 30), "yellow": (250, 225, 50),
    "green": (40, 165, 65), "blue": (35, 100, 230), "purple": (165, 50, 185),
    "pink": (245, 150, 190), "brown": (130, 80, 45), "black": (20, 20, 20),
    "white": (240, 240, 240), "grey": (128, 128, 128), "gray": (128, 128, 128),
}  # fmt: skip


class ContrastTracker:
    """Follows what differs from a background of few colours that surrounds it. Needs no weights.

    Subject and background may move or stand still.
    """

    def __init__(self, config: Config) -> None:
        pass

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray | None:
        return subject_mask(frames, subject)

    def objects(self, frames: np.ndarray, phrases: Sequence[str]) -> list[Found]:
        """See `Tracker`. The embedded CLIP names the objects, and is loaded at the first call."""
        from pipelines.trackers.naming import name_objects

        return name_objects(frames, separate_objects(frames), phrases)


def subject_mask(frames: np.ndarray, subject: str | None) -> np.ndarray | None:
    """Mask of the object whose colour the subject's words name, else of the largest object.

    Args:
        frames: uint8 (f, H, W, 3), RGB.

    Returns:
        bool (f, H, W); None if nothing differs from the background.
    """
    objects = find_objects(frames)
    if not len(objects):
        return None
    return objects[_named(frames, objects, subject)]


def _named(frames: np.ndarray, objects: np.ndarray, subject: str | None) -> int:
    """Index of the object with the colour that the subject names; 0 if no colour is named."""
    words = re.findall(r"\w+", (subject or "").lower())
    colour = next((COLOURS[word] for word in words if word in COLOURS), None)
    if colour is None:
        return 0
    means = np.stack([frames[mask].mean(axis=0) for mask in objects])
    return int(np.linalg.norm(means - colour, axis=1).argmin())
