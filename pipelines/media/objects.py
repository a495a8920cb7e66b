"""Separate several objects in front of a background of few colours, up to exact edges.

`foreground.find_objects` decides by colour alone what belongs to an object, and overlooks an object
much smaller than the first one. Here, a pixel of an edge is a mixture of two colours (Porter and
Duff 1984), C = α F + (1 − α) B, and belongs to the object if α > 0.5. F is the object's colour.
B is what other frames show at the same place. Where none does, B is the colour of the frame's
border with which the mixture explains the pixel best.
"""

import cv2
import numpy as np

from pipelines.media.foreground import (
    CELL,
    CHROMA_WEIGHT,
    CONTRAST,
    MOST_OBJECTS,
    applied,
    border_pixels,
    by_hue,
    colour_distance,
    palette,
    revealed_background,
)
from pipelines.media.masks import largest_region

WEIGHTS = np.array([1, CHROMA_WEIGHT, CHROMA_WEIGHT], np.float32)
LEAST_SHARE = 0.1
"""Minimum size of a further object, as a fraction of the pixels of the first object."""
FREQUENT = 0.03
"""Minimum share of the border's pixels that a colour of the background has."""
MAX_UNSTEADY = 16.0
"""Mean difference to the median of a place from which the background there moves, 0–255."""
SMALL, HALO, REACH = (np.ones((side, side), np.uint8) for side in (3, 5, 11))
"""The thinnest object; how far video coding mixes colours; how far the tips of an object reach
beyond its solid part."""


def separate_objects(frames: np.ndarray) -> np.ndarray:
    """Segment frames uint8 (f, H, W, 3) into masks bool (objects, f, H, W), largest first.

    Objects differ in hue. Beyond masks and the frames in another colour space, memory does not grow
    with the clip.
    """
    luma_chroma = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb) for frame in frames])
    border = palette(border_pixels(frames))
    seeds = np.stack([colour_distance(f, border, (1, 1, 1)) > CONTRAST for f in frames])
    solid = _solid_parts(luma_chroma, seeds)
    masks = np.zeros_like(solid)
    if not len(solid):
        return masks
    colours = [np.median(luma_chroma[part], axis=0) * WEIGHTS for part in solid]
    mixture = _Mixture(luma_chroma, seeds)
    for index, pixels in enumerate(luma_chroma):
        frame = pixels * WEIGHTS
        nearest = np.argmin([np.linalg.norm(frame - c, axis=-1) for c in colours], axis=0)
        inside_any = solid[:, index].any(axis=0)
        for number, colour in enumerate(colours):
            core = solid[number, index]
            near = applied(cv2.dilate, core, REACH) & ~inside_any & (nearest == number)
            masks[number, index] = largest_region(
                core | (near & (mixture.alpha(frame, colour) > 0.5))
            )
    return masks[np.argsort([-np.count_nonzero(mask) for mask in masks], kind="stable")]


def _solid_parts(luma_chroma: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return the inner pixels of each object, bool (objects, f, H, W).

    Hues along edges, where colours mix, form no solid part.
    """
    inner = np.stack([applied(cv2.erode, seed, SMALL) for seed in seeds])
    parts: list[np.ndarray] = []
    for part in by_hue(luma_chroma[inner]):
        least = LEAST_SHARE * np.count_nonzero(parts[0]) if parts else 1
        if len(parts) == MOST_OBJECTS or np.count_nonzero(part) < least:
            break
        mask = np.zeros_like(inner)
        mask[inner] = part
        for frame in mask:
            opened = applied(cv2.dilate, applied(cv2.erode, frame, SMALL), SMALL)
            frame &= largest_region(opened)
        if np.count_nonzero(mask) >= least:
            parts.append(mask)
    return np.stack(parts) if parts else np.zeros((0, *inner.shape), bool)


class _Mixture:
    """What share of a pixel's colour is that of an object.

    Args:
        luma_chroma: uint8 (f, H, W, 3), YCrCb.
        seeds: bool (f, H, W), what differs from the border's colours.
    """

    def __init__(self, luma_chroma: np.ndarray, seeds: np.ndarray) -> None:
        covered = np.stack([applied(cv2.dilate, seed, HALO) for seed in seeds])
        behind, seen = revealed_background(luma_chroma, covered)
        moved, count = np.zeros(seen.shape), np.maximum((~covered).sum(axis=0), 1)
        for frame, hidden in zip(luma_chroma, covered, strict=True):
            moved += np.where(hidden, 0, np.abs(frame - behind).max(axis=-1)) / count
        self.known = seen & (moved <= MAX_UNSTEADY)
        self.behind = behind * WEIGHTS
        cells, counts = np.unique(border_pixels(luma_chroma) // CELL, axis=0, return_counts=True)
        frequent = cells[counts >= FREQUENT * counts.sum()] * CELL + CELL // 2
        self.candidates = frequent * WEIGHTS

    def alpha(self, frame: np.ndarray, colour: np.ndarray) -> np.ndarray:
        """Return the share of an object's colour, (H, W), in a frame of weighted colours."""
        share = _share(frame, self.behind, colour)
        best = np.full(share.shape, np.inf)
        for candidate in self.candidates:
            other = _share(frame, candidate, colour).clip(0, 1)
            mixed = candidate + other[..., None] * (colour - candidate)
            error = np.linalg.norm(frame - mixed, axis=-1)
            share = np.where(~self.known & (error < best), other, share)
            best = np.minimum(best, error)
        return share


def _share(frame: np.ndarray, behind: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return α of C = α F + (1 − α) B by least squares."""
    way = colour - behind
    return ((frame - behind) * way).sum(axis=-1) / np.maximum((way * way).sum(axis=-1), 1e-3)
