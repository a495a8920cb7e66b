from typing import Protocol

import numpy as np


class Tracker(Protocol):
    """Finds the subject of a clip."""

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray | None:
        """Frames uint8 (f, H, W, 3) to a mask bool (f, H, W), or None if there is no subject.

        Args:
            subject: the noun phrase to be edited, if one is known.
        """
        ...


class NoTracker:
    """Edits run unmasked."""

    def __call__(self, frames: np.ndarray, subject: str | None) -> None:
        return None
