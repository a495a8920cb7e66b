"""Segment objects in front of a background of few colours."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from pipelines.media.masks import largest_region

Operation = Callable[..., np.ndarray]
"""A morphological operation of OpenCV on a picture and a kernel."""


BORDER = 2
"""Width in pixels of the border that is taken as background."""


CELL = 8
"""Size of a colour cell, in levels per channel. Colours of one cell count as equal."""


CONTRAST = 32
"""Minimum difference of an object pixel to every border colour, in levels from 0 to 255."""


CHROMA_WEIGHT = 0.25
"""Weight of a chroma difference. Stored clips have one chroma sample for four pixels."""


HUE_CELL, SAME_HUE = 5, 12
"""Width of a hue histogram bin, and maximum hue difference within one object, in degrees."""


GREYEST = 16
"""Chroma magnitude below which a pixel counts as grey."""


LEAST_SHARE = 0.2
"""Minimum size of a further object, as a fraction of the pixels of the first object."""


MOST_OBJECTS = 3


INNER = np.ones((5, 5), np.uint8)


HALO = np.ones((5, 5), np.uint8)


OUTER = np.ones((3, 3), np.uint8)


def find_objects(frames: np.ndarray) -> np.ndarray:
    """Segment frames uint8 (f, H, W, 3) into masks bool (objects, f, H, W), largest first.

    The colours of background and objects are those of the whole clip. Everything else is computed
    frame by frame: beyond masks and the frames in another colour space, memory does not grow with
    the clip.
    """
    luma_chroma = np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2YCrCb) for f in frames])
    border, border_colours = palette(border_pixels(luma_chroma)), palette(border_pixels(frames))
    seeds = np.stack([colour_distance(f, border_colours, (1, 1, 1)) > CONTRAST for f in frames])
    cores = np.stack([applied(cv2.erode, seed, INNER) for seed in seeds])
    pixels = luma_chroma[cores]
    palettes = [palette(pixels[part]) for part in _by_size(pixels)]
    masks = np.zeros((len(palettes), *frames.shape[:3]), bool)
    if not palettes:
        return masks
    for index, (frame, seed, core) in enumerate(zip(luma_chroma, seeds, cores, strict=True)):
        to_part = np.stack([colour_distance(frame, colours) for colours in palettes])
        nearest = to_part.argmin(axis=0)
        is_object = core | (to_part.min(axis=0) < colour_distance(frame, border))
        grown = applied(cv2.dilate, seed, OUTER) & is_object
        for part, mask in enumerate(masks):
            mask[index] = largest_region(grown & (nearest == part))
    found = [mask for mask in masks if mask.any()]
    return np.stack(sorted(found, key=np.count_nonzero, reverse=True))


def without(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Frames in which a mask, bool (f, H, W), is filled from its surroundings (inpainting)."""
    if not mask.any():
        return frames
    return np.stack(
        [
            cv2.inpaint(frame, cv2.dilate(hole.astype(np.uint8), HALO), 3, cv2.INPAINT_NS)
            for frame, hole in zip(frames, mask, strict=True)
        ]
    )


def border_pixels(frames: np.ndarray) -> np.ndarray:
    """Return the pixels (n, 3) along the border of all frames."""
    inside = np.zeros(frames.shape[1:3], bool)
    inside[BORDER:-BORDER, BORDER:-BORDER] = True
    return frames[:, ~inside].reshape(-1, 3)


def palette(pixels: np.ndarray) -> np.ndarray:
    """Return the centres (n, 3) of the colour cells that contain pixels."""
    return np.unique(pixels // CELL, axis=0) * CELL + CELL // 2


def colour_distance(
    frame: np.ndarray,
    colours: np.ndarray,
    weights: tuple[float, ...] = (1, CHROMA_WEIGHT, CHROMA_WEIGHT),
) -> np.ndarray:
    """Return float32 (H, W), the largest channel difference to the nearest of colours (n, 3)."""
    scale = np.asarray(weights, np.float32)
    pixels = frame.astype(np.float32) * scale
    nearest = np.full(frame.shape[:2], np.inf, np.float32)
    for colour in colours.astype(np.float32) * scale:
        np.minimum(nearest, np.abs(pixels - colour).max(axis=-1), out=nearest)
    return nearest


def _by_size(luma_chroma: np.ndarray) -> list[np.ndarray]:
    """Split pixels uint8 (n, 3) into objects, bool (n,) each, none much smaller than the first."""
    parts: list[np.ndarray] = []
    for part in by_hue(luma_chroma):
        if len(parts) == MOST_OBJECTS or (parts and part.sum() < LEAST_SHARE * parts[0].sum()):
            break
        parts.append(part)
    return parts


def by_hue(luma_chroma: np.ndarray) -> Iterator[np.ndarray]:
    """Yield parts of pixels uint8 (n, 3), bool (n,) each, by the most frequent remaining hue.

    Hue is independent of lighting and shading. Grey counts as a further hue.
    """
    chroma = luma_chroma[:, 1:].astype(np.float32) - 128
    hue = np.degrees(np.arctan2(chroma[:, 1], chroma[:, 0])) % 360
    grey = np.linalg.norm(chroma, axis=-1) < GREYEST
    left = np.ones(len(luma_chroma), bool)
    while left.any():
        coloured = left & ~grey
        if 2 * coloured.sum() < left.sum():
            part = left & grey
        else:
            counts = np.bincount((hue[coloured] // HUE_CELL).astype(int))
            middle = HUE_CELL * (counts.argmax() + 0.5)
            away = np.abs((hue - middle + 180) % 360 - 180)
            part = coloured & (away < SAME_HUE)
        yield part
        left &= ~part


def revealed_background(frames: np.ndarray, covered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what is behind moving objects: the median of each place over the frames that show it.

    Computed row by row, because a clip of masked floats would be large.

    Args:
        frames: uint8 (f, H, W, 3).
        covered: bool (f, H, W), where objects are.

    Returns:
        float (H, W, 3), 0 where no frame shows the background; and where one does, bool (H, W).
    """
    background = np.zeros(frames.shape[1:])
    seen = np.zeros(frames.shape[1:3], bool)
    for row in range(len(background)):
        inside = np.repeat(covered[:, row, :, None], 3, axis=-1)
        median = np.ma.median(np.ma.masked_array(frames[:, row], inside), axis=0)
        background[row] = np.ma.filled(median, 0)
        seen[row] = ~np.ma.getmaskarray(median)[..., 0]
    return background, seen


def applied(operation: Operation, mask: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return operation(mask.astype(np.uint8), kernel).astype(bool)
