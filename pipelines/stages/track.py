"""Masks that follow the subject."""

from typing import Protocol

import numpy as np

from pipelines import masks
from pipelines.sections import MaskCheck
from pipelines.stages.base import Row
from pipelines.tracking.check import check_mask
from pipelines.video import decode_video


class Tracker(Protocol):
    """Finds the subject of a clip."""

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray | None:
        """Frames uint8 (f, H, W, 3) to a mask bool (f, H, W), or None if there is no subject.

        Args:
            subject: the noun phrase to be edited, if one is known.
        """
        ...


class Track:
    """Sets mask and mask_source where the manifest gave no mask. Reads source_video and subject.

    A mask that the tracker finds is checked: see `check_mask` for why a clip may be rejected.
    """

    def __init__(self, name: str, tracker: Tracker, limits: MaskCheck) -> None:
        self.name = name
        self.tracker = tracker
        self.limits = limits

    def __call__(self, row: Row) -> Row:
        if row["mask"] is not None:
            return {}
        mask = self.tracker(decode_video(row["source_video"]), row["subject"])
        if mask is None:
            return {"mask": None, "mask_source": "none"}
        check_mask(mask, self.limits)
        return {"mask": masks.encode(mask), "mask_source": self.name}


class NoTracker:
    """Edits run unmasked."""

    def __call__(self, frames: np.ndarray, subject: str | None) -> None:
        return None
