"""Whether colours and backgrounds of a clip are exactly those of the small world.

CLIP names the most similar look, also of a figure that is half faded. These checks refuse what no
name of the small world describes. The limits lie between measurements on 40 clips of the dev list
and on mixtures of clips with their edits. Nine tenths of a figure's pixels differ from the colour
by at most 8, in half faded figures of another colour by 16 or more. Patterns differ from theirs by
at most 10, half faded ones by 31 or more, blurred ones by 20 or more.
"""

import cv2
import numpy as np
import torch

from strmatch.metrics.colour_difference import dilated
from strmatch.miniature.recognition.patterns import templates
from strmatch.miniature.textures import DARKEST
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS

MAX_COLOUR_DIFFERENCE = 12.0
"""ΔE*ab of a pixel to the colour, in any shade of the textures."""
LEAST_SHARE = 0.9
"""Minimum share of a figure's pixels that have the colour."""
SHADES = 11
MAX_PATTERN_DIFFERENCE = 15.0
"""Root mean square over the visible background, in levels of 255."""
RIM = np.ones((3, 3), np.uint8)
EVERY = 5
"""Frames from one comparison of the background to the next."""


def has_colour(frames: np.ndarray, mask: np.ndarray, colour: str) -> bool:
    """Whether a figure has a colour of the small world, without the pixels along its edge.

    Args:
        frames: uint8 (f, H, W, 3).
        mask: bool (f, H, W), the figure.
        colour: one of `COLOURS`.
    """
    inner = np.stack([cv2.erode(frame.astype(np.uint8), RIM) > 0 for frame in mask])
    shades = np.outer(np.linspace(DARKEST, 1, SHADES), COLOURS[colour])
    difference = np.linalg.norm(_lab(frames[inner])[:, None] - _lab(shades), axis=-1).min(axis=1)
    return len(difference) > 0 and bool(np.mean(difference <= MAX_COLOUR_DIFFERENCE) >= LEAST_SHARE)


def has_background(frames: np.ndarray, figures: np.ndarray, background: str) -> bool:
    """Whether everything but the figures is a pattern of the small world, at any shift.

    Args:
        frames: uint8 (f, H, W, 3). The sides are multiples of the pattern's period.
        figures: bool (f, H, W).
        background: one of `BACKGROUNDS`.
    """
    every = zip(frames[::EVERY], figures[::EVERY], strict=True)
    found = [_pattern_difference(frame, ~dilated(inside, 2), background) for frame, inside in every]
    return bool(np.median(found) <= MAX_PATTERN_DIFFERENCE)


def _pattern_difference(frame: np.ndarray, visible: np.ndarray, background: str) -> float:
    """Root mean square difference of the visible pixels to the pattern at the best shift."""
    tiles = templates()[list(BACKGROUNDS).index(background)]  # (shifts, period² · 3)
    period = int((tiles.shape[1] // 3) ** 0.5)
    tiles = tiles.unflatten(1, (period, period, 3))
    seen = torch.from_numpy(visible).float()[..., None]
    total, count = (
        part.unflatten(1, (-1, period)).unflatten(0, (-1, period)).sum(dim=(0, 2))
        for part in (torch.from_numpy(frame).float() * seen, seen)
    )
    tile = total / count.clamp(min=1)
    best = tiles[(tiles - tile).square().mean(dim=(1, 2, 3)).argmin()].numpy()
    repeats = (frame.shape[0] // period, frame.shape[1] // period, 1)
    return float(np.sqrt(np.mean((frame - np.tile(best, repeats))[visible] ** 2)))


def _lab(colours: np.ndarray) -> np.ndarray:
    """Convert colours of 0 to 255, (n, 3), to L*a*b*."""
    return cv2.cvtColor((colours[None] / 255).astype(np.float32), cv2.COLOR_RGB2LAB)[0]
