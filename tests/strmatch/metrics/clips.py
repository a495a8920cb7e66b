"""Clips of known motion."""

import cv2
import numpy as np

from strmatch.metrics.base import Sample

TEXTURES = (
    *("noise", "bits", "blocks", "smooth", "smoother", "faint", "checks", "large_checks"),
    *("waves", "stripes"),
)
SIZES = ((64, 64), (128, 192), (90, 120))
MARGIN = 48


def texture(name: str, height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8 (H, W, 3)."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    match name:
        case "noise":
            return draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
        case "bits":
            return draw.integers(0, 2, (height, width, 1), dtype=np.uint8).repeat(3, 2) * 255
        case "blocks":
            return draw.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)[
                y // 4, x // 4
            ]
        case "smooth":
            return _stretch(draw, height, width, sigma=2)
        case "smoother":
            return _stretch(draw, height, width, sigma=5)
        case "faint":
            return _stretch(draw, height, width, sigma=2) // 8 + 110
        case "checks":
            return _checks(x, y, 6)
        case "large_checks":
            return _checks(x, y, 8)
        case "waves":
            return np.uint8(127 + 60 * (np.sin(x / 5) + np.sin(y / 7)))[..., None].repeat(3, 2)
        case "stripes":
            return np.uint8(127 + 100 * np.sin(x * np.pi / 8))[..., None].repeat(3, 2)
    raise ValueError(name)


def _stretch(draw: np.random.Generator, height: int, width: int, sigma: float) -> np.ndarray:
    noise = cv2.GaussianBlur(draw.standard_normal((height, width, 3)), (0, 0), sigma)
    return np.uint8(255 * (noise - noise.min()) / np.ptp(noise))


def _checks(x: np.ndarray, y: np.ndarray, side: int) -> np.ndarray:
    return np.uint8((x // side + y // side) % 2 * 255)[..., None].repeat(3, 2)


def panned(
    name: str, size: tuple[int, int], step: tuple[int, int], frames: int = 6, seed: int = 0
) -> np.ndarray:
    """uint8 (f, H, W, 3): a window on a texture that moves by `step` (x, y) pixels a frame."""
    height, width = size
    image = texture(name, height + 2 * MARGIN, width + 2 * MARGIN, seed)
    starts = [(MARGIN - time * step[1], MARGIN - time * step[0]) for time in range(frames)]
    return np.stack([image[y : y + height, x : x + width] for y, x in starts])


def beside(source: np.ndarray, edited: np.ndarray, mask: np.ndarray | None = None) -> Sample:
    return Sample(source, edited, mask, "", "")
