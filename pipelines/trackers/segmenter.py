"""The contract of a promptable video segmenter: a box on one frame, a mask on all frames."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the frame, from its top left corner to its bottom right one."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise ValueError(f"a box has x0 < x1 and y0 < y1, got {self}")

    @property
    def area(self) -> float:
        """Square pixels."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    def overlap(self, other: "Box") -> float:
        """Intersection over union with another box, 0–1."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        shared = max(width, 0.0) * max(height, 0.0)
        return shared / (self.area + other.area - shared)


class Segmenter(Protocol):
    """Follows one object through a clip."""

    def track(self, frames: np.ndarray, box: Box, prompt_frame: int) -> np.ndarray:
        """Follow an object forwards and backwards from the frame on which a box shows it.

        Args:
            frames: uint8 (f, H, W, 3).
            box: surrounds the object on frame `prompt_frame`.

        Returns:
            bool (f, H, W).

        Raises:
            ValueError: the clip has no frame `prompt_frame`.
        """
        ...


def empty_mask(frames: np.ndarray, prompt_frame: int) -> np.ndarray:
    """Allocate the result of `Segmenter.track`, bool (f, H, W), and check its arguments.

    Raises:
        ValueError: the clip has no frame `prompt_frame`.
    """
    if not 0 <= prompt_frame < len(frames):
        raise ValueError(f"no frame {prompt_frame} in a clip of {len(frames)} frames")
    return np.zeros(frames.shape[:3], bool)
