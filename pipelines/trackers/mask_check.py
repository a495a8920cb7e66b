"""Checks that a mask can belong to one moving object: size, presence and steadiness."""

import numpy as np

from pipelines.config.sections import MaskCheck
from pipelines.errors import Rejected
from strmatch.sampling.windows import window_starts


def check_mask(
    mask: np.ndarray, limits: MaskCheck, stretch: int | None = None, fps: float = 1.0
) -> None:
    """Reject a mask that is outside the limits.

    Areas are shares of the frame. Neighbouring frames are compared only if the mask is empty in
    neither, so that a subject may leave the frame and return.

    Args:
        mask: bool (f, H, W).
        limits: see `annotate.mask_check`.
        stretch: number of frames of the parts of a longer clip, each of which must be within the
            limits. The last one ends with the clip. None: the clip is one part.
        fps: frames per second, for the message.

    Raises:
        Rejected: `MaskEmpty`, `MaskTooSmall`, `MaskTooLarge` or `MaskJumps`.
    """
    areas = mask.mean(axis=(1, 2))
    if not areas.any():
        raise _empty(1.0, limits, "")
    typical = np.empty(len(mask))
    length = min(stretch or len(mask), len(mask))
    for start in window_starts(len(mask), length, length):
        frames = slice(start, start + length)
        whole = length == len(mask)
        when = "" if whole else f" from {start / fps:.1f} to {(start + length) / fps:.1f} seconds"
        typical[frames] = _check_areas(areas[frames], limits, when)
    centres = [_centre(frame) for frame in mask]
    diagonal = float(np.hypot(*mask.shape[1:]))
    for index in np.flatnonzero((areas[:-1] > 0) & (areas[1:] > 0)):
        shift = float(np.linalg.norm(centres[index + 1] - centres[index])) / diagonal
        growth = float(abs(areas[index + 1] - areas[index]) / typical[index])
        if shift > limits.max_shift:
            raise Rejected(
                "MaskJumps",
                f"the mask's centre moves {shift:.2f} diagonals after frame {index}; "
                f"annotate.mask_check.max_shift allows {limits.max_shift:.2f}",
            )
        if growth > limits.max_growth:
            raise Rejected(
                "MaskJumps",
                f"the mask's area changes by {growth:.2f} median areas after frame {index}; "
                f"annotate.mask_check.max_growth allows {limits.max_growth:.2f}",
            )


def _check_areas(areas: np.ndarray, limits: MaskCheck, when: str) -> float:
    """Check presence and size of a mask. Returns the median area; NaN if the mask is empty.

    Args:
        areas: share of the frame that the mask covers, (f,).
        when: the time of these frames, for the message.
    """
    present = areas > 0
    empty = 1 - present.mean()
    if empty > limits.max_empty:
        raise _empty(empty, limits, when)
    if not present.any():
        return np.nan
    typical = float(np.median(areas[present]))
    if typical < limits.min_area:
        raise Rejected(
            "MaskTooSmall",
            f"the mask covers {typical:.2%} of the frame{when}; "
            f"annotate.mask_check.min_area asks for {limits.min_area:.2%}",
        )
    if typical > limits.max_area:
        raise Rejected(
            "MaskTooLarge",
            f"the mask covers {typical:.0%} of the frame{when}; "
            f"annotate.mask_check.max_area allows {limits.max_area:.0%}",
        )
    return typical


def _empty(share: float, limits: MaskCheck, when: str) -> Rejected:
    return Rejected(
        "MaskEmpty",
        f"the mask is empty in {share:.0%} of the frames{when}; "
        f"annotate.mask_check.max_empty allows {limits.max_empty:.0%}",
    )


def check_given_mask(
    mask: np.ndarray, limits: MaskCheck, stretch: int | None = None, fps: float = 1.0
) -> None:
    """Reject a mask of a manifest that belongs neither to a subject nor to its background.

    The mask of a background is too large for a subject, and leaves out one within the limits.
    Arguments and errors as for `check_mask`.
    """
    try:
        check_mask(mask, limits, stretch, fps)
    except Rejected as reason:
        if reason.type != "MaskTooLarge":
            raise
        try:
            check_mask(~mask, limits, stretch, fps)
        except Rejected:
            raise reason from None


def _centre(frame: np.ndarray) -> np.ndarray:
    """Centroid (y, x) of a mask, bool (H, W), pixels; NaN if the mask is empty."""
    inside = np.argwhere(frame)
    return inside.mean(axis=0) if len(inside) else np.full(2, np.nan)
