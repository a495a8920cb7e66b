"""Clips of any length for pipelines that take some numbers of frames."""

import math
from collections.abc import Callable

import numpy as np

from pipelines.editors.diffusers.options import Frames
from strmatch.sampling.windows import window_starts

Call = Callable[[slice, np.ndarray | None], np.ndarray]
"""Edits frames of a clip. Receives which frames, and edited frames that continue a chunk before,
uint8 (k, H, W, 3), or None. Returns uint8 (n, H, W, 3)."""


def valid_length(length: int, rule: Frames) -> int:
    """Returns the smallest number of frames, `length` or more, that a pipeline takes."""
    steps = math.ceil((length - rule.remainder) / rule.multiple)
    return rule.remainder + rule.multiple * max(steps, 0 if rule.remainder else 1)


def padded(frames: np.ndarray, length: int) -> np.ndarray:
    """Returns frames or masks (f, …) continued by reflection in time to `length`."""
    places = np.arange(length)
    period = max(1, 2 * (len(frames) - 1))
    places = places % period
    return frames[np.where(places < len(frames), places, period - places)]


def in_chunks(length: int, rule: Frames, edit: Call, continues: bool) -> np.ndarray:
    """Edit a clip of any length.

    Args:
        length: number of frames of the clip.
        rule: numbers of frames of a call.
        edit: edits some frames.
        continues: whether a chunk receives the edited frames that it shares with the chunk before.
            Otherwise, chunks are cross-faded.
    """
    most = rule.max or length
    starts = window_starts(length, min(most, length), max(1, min(most, length) - rule.overlap))
    result: np.ndarray | None = None
    for start in starts:
        frames = slice(start, min(start + most, length))
        if result is None:
            result = edit(frames, None)
            continue
        shared = result[start:]
        chunk = edit(frames, shared if continues else None)
        chunk[: len(shared)] = shared if continues else faded(shared, chunk[: len(shared)])
        result = np.concatenate([result[:start], chunk])
    assert result is not None
    return result


def faded(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Returns the cross-fade of two edits of the same frames, uint8 (f, H, W, 3)."""
    weights = (np.arange(len(before)) + 1) / (len(before) + 1)
    mixed = before + weights[:, None, None, None] * (after.astype(float) - before)
    return mixed.round().astype(np.uint8)
