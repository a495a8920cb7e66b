"""Brings an edit of the model's size back into the frames of its source.

The edit is enlarged and laid over the source inside the region that the editor could change. A
seam inside the region fades from the source to the edit. All other pixels are the source's own.
"""

from typing import Any

import cv2
import numpy as np

from pipelines.media.frames import Placement, placement

LATENT = 8
"""Side of the square of pixels that a latent of the published backbones covers. Latents of the
embedded backbones cover less, and an editor without latents changes no pixel outside its mask."""
SEAM = LATENT / 2
"""Width of the seam, in pixels of the model. Smaller than the margin of a dilated mask."""


def composite(
    source: np.ndarray, edited: np.ndarray, region: np.ndarray | None, how: str, dilation: int
) -> np.ndarray:
    """Lay a frame of an edit over its source.

    Args:
        source: uint8 (H, W, 3), the frame at the source's size.
        edited: uint8 (h, w, 3), the edit of the frame after `fit` to the model's size.
        region: bool (h, w), where the edit was made; None: everywhere.
        how: "crop" or "pad", as for `fit`. What a crop cut off stays as in the source.
        dilation: side of the square that dilates the region, latents (`edit.mask_dilation`).

    Returns:
        uint8 (H, W, 3). Equal to `source` outside the dilated region.
    """
    placed = placement(source.shape, edited.shape[0], edited.shape[1], how)
    inside = np.ones(edited.shape[:2], bool) if region is None else editable(region, dilation)
    inside = enlarge_mask(inside, source.shape[:2], placed)
    if not inside.any():
        return source
    enlarged = _enlarge(edited, source.shape[:2], placed)
    if inside.all():
        return enlarged
    box = _extent(inside.any(axis=1)), _extent(inside.any(axis=0))
    # The distance of a pixel's middle from the nearest middle outside, which is in the box.
    near = inside[box].astype(np.uint8)
    distance = cv2.distanceTransform(near, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    share = np.minimum(1, distance * placed.scale / SEAM)[..., None]
    under, over = source[box].astype(np.float32), enlarged[box].astype(np.float32)
    result = source.copy()
    result[box] = np.rint(under + share * (over - under))
    return result


def editable(region: np.ndarray, dilation: int) -> np.ndarray:
    """Returns the pixels that an editor may change, bool (h, w), of a region bool (h, w).

    The latents that cover the region are dilated as in Eq. 6 of arXiv 2506.22868: see
    `strmatch.masks.latent_mask`.
    """
    height, width = region.shape
    padded = np.pad(region, ((0, -height % LATENT), (0, -width % LATENT)))
    cells = padded.reshape(padded.shape[0] // LATENT, LATENT, -1, LATENT).any(axis=(1, 3))
    cells = cv2.dilate(cells.astype(np.uint8), np.ones((dilation, dilation), np.uint8)) > 0
    return cells.repeat(LATENT, axis=0).repeat(LATENT, axis=1)[:height, :width]


def enlarge_mask(mask: np.ndarray, size: tuple[int, int], placed: Placement) -> np.ndarray:
    """Returns a mask of the model's size in the frame of the source, bool (H, W).

    A pixel of the source is inside if its middle lies in a pixel of the mask that is inside. What a
    crop cut off is outside.

    Args:
        mask: bool (h, w).
        size: height and width of the source's frames.
        placed: how the source's frames were brought to the model's size.
    """
    (rows, of_rows), (columns, of_columns) = (_shown(axis, size, placed) for axis in (0, 1))
    enlarged = np.zeros(size, bool)
    enlarged[rows, columns] = mask[of_rows][:, of_columns]
    return enlarged


def _shown(axis: int, size: tuple[int, int], placed: Placement) -> tuple[slice, np.ndarray]:
    """Returns the rows (axis 0) or columns (1) of the source that the model was shown, and theirs.

    Returns:
        The rows of the source, and for each of them the row of the model's frame, int (n,).
    """
    inner, shown, place = placed.inner[axis], placed.shown[axis], placed.place[axis]
    middles = (np.arange(size[axis]) + 0.5) * inner / size[axis]
    at = np.floor(middles).astype(int)
    inside = slice(*np.searchsorted(at, (shown.start, shown.stop)))
    return inside, at[inside] - shown.start + place.start


def _enlarge(frame: np.ndarray, size: tuple[int, int], placed: Placement) -> np.ndarray:
    """Returns a frame of the model in the frame of the source: the inverse of `fit`.

    uint8 (H, W, 3). What a crop cut off repeats the border.
    """
    (height, width), (rows, columns) = placed.inner, placed.shown
    picture = cv2.copyMakeBorder(
        np.ascontiguousarray(frame[placed.place]),
        *(rows.start, height - rows.stop, columns.start, width - columns.stop),
        cv2.BORDER_REPLICATE,
    )
    # Lanczos takes ten times as long.
    method = cv2.INTER_CUBIC if placed.scale < 1 else cv2.INTER_AREA
    return cv2.resize(picture, size[::-1], interpolation=method)


def _extent(inside: Any) -> slice:
    """Returns the places from before the first to after the last that is inside, of bool (n,)."""
    places = np.flatnonzero(inside)
    return slice(max(0, int(places[0]) - 1), int(places[-1]) + 2)
