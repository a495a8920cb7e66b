"""Select frames of a video or clip, and resize frames to the size of a clip."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

ROUNDING = 1e-3
"""Rounding error of container timestamps, in seconds."""


def frame_positions(frames: int, count: int) -> list[int]:
    """Return the positions of `count` evenly spaced frames: the middles of `count` equal spans.

    Returns all positions if there are fewer than `count` frames.
    """
    count = min(count, frames)
    return [(2 * span + 1) * frames // (2 * count) for span in range(count)]


def sample(frames: np.ndarray, count: int) -> "list[Image]":
    """Return the frames of a clip, uint8 (f, H, W, 3), at `frame_positions` as images."""
    from PIL import Image

    return [Image.fromarray(frames[at]) for at in frame_positions(len(frames), count)]


def frame_indices(timestamps: np.ndarray, start: float, fps: float, count: int) -> np.ndarray:
    """Return the indices of the frames displayed at start, start + 1/fps, …

    Args:
        timestamps: display time of each frame of the video in seconds, ascending.
        start: time of the first selected frame in seconds.
        fps: selected frames a second.
        count: number of selected frames.

    Returns:
        int (count,).
    """
    times = start + np.arange(count) / fps
    return np.maximum(np.searchsorted(timestamps, times + ROUNDING, side="right") - 1, 0)


class Placement(NamedTuple):
    """How `fit` brings a picture into frames of another size."""

    scale: float
    """Pixels of the resized picture per pixel of the picture, before rounding."""
    inner: tuple[int, int]
    """Height and width of the resized picture."""
    shown: tuple[slice, slice]
    """Rows and columns of the resized picture that a frame shows."""
    place: tuple[slice, slice]
    """Rows and columns of a frame that show the picture."""


def placement(shape: Sequence[int], height: int, width: int, how: str) -> Placement:
    """Return how `fit` resizes pictures of `shape` (H, W, …), and which part is shown where."""
    scales = height / shape[0], width / shape[1]
    scale = max(scales) if how == "crop" else min(scales)
    inner = max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
    rows, columns = _overlap(inner[0], height), _overlap(inner[1], width)
    return Placement(scale, inner, (rows[0], columns[0]), (rows[1], columns[1]))


def fit(frames: np.ndarray, height: int, width: int, how: str) -> np.ndarray:
    """Resize frames uint8 (f, H, W, 3) or a mask bool (f, H, W) to height × width.

    Args:
        how: "crop" covers the target and cuts off the excess. "pad" shows the whole frame on
            black.
    """
    scale, inner, shown, place = placement(frames.shape[1:], height, width, how)
    flat = cv2.INTER_NEAREST if frames.dtype == bool else cv2.INTER_AREA
    method = flat if scale < 1 or frames.dtype == bool else cv2.INTER_CUBIC
    resized = np.stack(
        [cv2.resize(f.astype(np.uint8), inner[::-1], interpolation=method) for f in frames]
    )
    result = np.zeros((len(frames), height, width, *frames.shape[3:]), np.uint8)
    result[:, *place] = resized[:, *shown]
    return result.astype(frames.dtype)


def _overlap(have: int, want: int) -> tuple[slice, slice]:
    """Return the centred overlap of two lengths, as a slice of each."""
    shared = min(have, want)
    a, b = (have - shared) // 2, (want - shared) // 2
    return slice(a, a + shared), slice(b, b + shared)
