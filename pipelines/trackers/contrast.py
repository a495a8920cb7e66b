"""The tracker `contrast`: what differs in colour from all that lies along the frame's border."""

import re

import numpy as np

from pipelines.media.foreground import find_objects

COLOURS = {
    "red": (220, 40, 40), "orange": (250, 140, 30), "yellow": (250, 225, 50),
    "green": (40, 165, 65), "blue": (35, 100, 230), "purple": (165, 50, 185),
    "pink": (245, 150, 190), "brown": (130, 80, 45), "black": (20, 20, 20),
    "white": (240, 240, 240), "grey": (128, 128, 128), "gray": (128, 128, 128),
}  # fmt: skip


class ContrastTracker:
    """Things before a background of few colours that reaches the frame's border all around.

    Without any weights, whether things move or not, and whether the background does. Of several
    things it follows the one whose colour the subject's words name, else the largest.
    """

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray | None:
        objects = find_objects(frames)
        if not len(objects):
            return None
        return objects[_named(frames, objects, subject)]


def _named(frames: np.ndarray, objects: np.ndarray, subject: str | None) -> int:
    """Which of the objects has the colour that is named, 0 if none is."""
    words = re.findall(r"\w+", (subject or "").lower())
    colour = next((COLOURS[word] for word in words if word in COLOURS), None)
    if colour is None:
        return 0
    means = np.stack([frames[mask].mean(axis=0) for mask in objects])
    return int(np.linalg.norm(means - colour, axis=1).argmin())
