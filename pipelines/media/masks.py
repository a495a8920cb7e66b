"""Encode and decode masks as COCO run-length encoding (RLE)."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco

from strmatch.metrics.base import Where

Rle = dict[str, Any]

SAME_OBJECT = 0.5
"""Intersection over union from which two masks or boxes show the same object."""


def encode(mask: np.ndarray) -> list[Rle]:
    """Encode a mask bool (f, H, W) as COCO RLE, one {"size": [H, W], "counts": str} per frame."""
    frames = [coco.encode(np.asfortranarray(frame, dtype=np.uint8)) for frame in mask]
    return [
        {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}
        for rle in frames
    ]


def decode(rles: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Decode COCO RLE per frame, compressed or not, to bool (f, H, W)."""
    return np.stack([_decode_frame(rle) for rle in rles])


def region(mask: np.ndarray | None, where: Where) -> np.ndarray | None:
    """Returns where an edit is made.

    Args:
        mask: bool (f, H, W), True where the subject is; None: not known.
        where: where the edit applies.

    Returns:
        bool (f, H, W); None: everywhere.
    """
    if mask is None or where == "all":
        return None
    return ~mask if where == "background" else mask


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over union of two masks, 0–1. Of empty masks: 0."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 0.0


def largest_region(frame: np.ndarray) -> np.ndarray:
    """Return the largest connected region of a mask, bool or uint8 (H, W), as bool (H, W)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(frame.astype(np.uint8))
    if count == 1:
        return np.zeros(frame.shape, bool)
    return labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()


def _decode_frame(rle: Mapping[str, Any]) -> np.ndarray:
    """Decode the mask of a frame, bool (H, W).

    Raises:
        ValueError: the runs do not fill the frame. The library would return what its memory held.
    """
    counts, (height, width) = rle["counts"], (int(side) for side in rle["size"])
    runs = _runs(counts) if isinstance(counts, str) else [int(run) for run in counts]
    if height <= 0 or width <= 0 or any(run < 0 for run in runs) or sum(runs) != height * width:
        raise ValueError(f"the counts of an RLE give {sum(runs)} pixels, not {height} × {width}")
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return inside.reshape(width, height).T


def _runs(counts: str) -> list[int]:
    """Return the run lengths of compressed counts.

    Five bits a character, the least significant first; from the third run on, the difference to the
    run before the last one. Source: rleFrString of the COCO API.
    """
    runs: list[int] = []
    value, shift = 0, 0
    for character in counts.encode("ascii"):
        bits = character - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    return runs
