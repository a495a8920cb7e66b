"""The frames of a clip that a model looks at."""

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image


def sample(frames: np.ndarray, count: int) -> "list[Image]":
    """`count` frames of uint8 (f, H, W, 3), evenly spaced; all of them where there are fewer.

    Each is the middle one of its part of the clip.
    """
    from PIL import Image

    count = min(count, len(frames))
    middles = (np.arange(count) + 0.5) * len(frames) / count
    return [Image.fromarray(frames[int(at)]) for at in middles]


ROUNDING = 1e-3
"""Seconds by which containers round timestamps."""


def frame_indices(timestamps: np.ndarray, start: float, fps: float, count: int) -> np.ndarray:
    """Which frames are on the screen at start, start + 1/fps, …; int (count,)."""
    times = start + np.arange(count) / fps
    return np.maximum(np.searchsorted(timestamps, times + ROUNDING, side="right") - 1, 0)


def fit(frames: np.ndarray, height: int, width: int, how: str) -> np.ndarray:
    """Bring frames (f, H, W, 3) uint8 or a mask (f, H, W) bool to height × width.

    "crop" covers the target and cuts off the rest; "pad" shows all, on black.
    """
    scales = height / frames.shape[1], width / frames.shape[2]
    scale = max(scales) if how == "crop" else min(scales)
    inner = max(1, round(frames.shape[1] * scale)), max(1, round(frames.shape[2] * scale))
    flat = cv2.INTER_NEAREST if frames.dtype == bool else cv2.INTER_AREA
    method = flat if scale < 1 or frames.dtype == bool else cv2.INTER_CUBIC
    resized = np.stack(
        [cv2.resize(f.astype(np.uint8), inner[::-1], interpolation=method) for f in frames]
    )
    result = np.zeros((len(frames), height, width, *frames.shape[3:]), np.uint8)
    here, there = _overlap(inner[0], height), _overlap(inner[1], width)
    result[:, here[1], there[1]] = resized[:, here[0], there[0]]
    return result.astype(frames.dtype)


def _overlap(have: int, want: int) -> tuple[slice, slice]:
    """The centred part that both lengths share, in the one that is there and the one wanted."""
    shared = min(have, want)
    a, b = (have - shared) // 2, (want - shared) // 2
    return slice(a, a + shared), slice(b, b + shared)


def frame_positions(frames: int, count: int) -> list[int]:
    """Up to `count` evenly spaced frames: the middles of as many equal spans."""
    return sorted({(2 * span + 1) * frames // (2 * count) for span in range(count)})
