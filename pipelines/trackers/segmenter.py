"""The interface of promptable video segmenters: prompts on one frame give masks on all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Box:
    """A rectangle from its top left to its bottom right corner, pixels of the frame."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise ValueError(f"a box has x0 < x1 and y0 < y1, got {self}")

    @property
    def area(self) -> float:
        return (self.x1 - self.x0) * (self.y1 - self.y0)


@dataclass(frozen=True)
class Points:
    """Points (x, y) in pixels of the frame; a label is 1 on the object and 0 beside it."""

    points: tuple[tuple[float, float], ...]
    labels: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.points or len(self.points) != len(self.labels):
            raise ValueError(f"every point has a label, got {self}")
        if not set(self.labels) <= {0, 1}:
            raise ValueError(f"labels are 1 (on the object) or 0 (beside it), got {self.labels}")


Prompt = Box | Points


@dataclass(frozen=True)
class Tracks:
    """The masks of objects through a clip."""

    masks: np.ndarray
    """bool (objects, f, H, W), at the size of the frames."""
    scores: np.ndarray
    """float32 (objects, f): probability that the object is in the frame."""


class Segmenter(Protocol):
    def track(self, frames: np.ndarray, prompts: Sequence[Prompt], prompt_frame: int) -> Tracks:
        """Follow objects through a clip, forwards and backwards from the frame they are shown on.

        Args:
            frames: uint8 (f, H, W, 3).
            prompts: one an object, all on frame `prompt_frame`.

        Raises:
            ValueError: there is no prompt or no such frame.
        """
        ...


def empty_tracks(frames: np.ndarray, prompts: Sequence[Prompt], prompt_frame: int) -> Tracks:
    """Check the arguments of `Segmenter.track` and allocate its result."""
    if not prompts:
        raise ValueError("a segmenter needs a prompt for at least one object")
    if not 0 <= prompt_frame < len(frames):
        raise ValueError(f"no frame {prompt_frame} in a clip of {len(frames)} frames")
    return Tracks(
        np.zeros((len(prompts), *frames.shape[:3]), bool),
        np.zeros((len(prompts), len(frames)), np.float32),
    )
