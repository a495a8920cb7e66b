import numpy as np
import pytest

from pipelines.config.sections import MaskCheck
from pipelines.errors import Rejected
from pipelines.trackers.mask_check import check_given_mask, check_mask
from strmatch.miniature.scenes import sample_scene
from strmatch.miniature.world import render

LIMITS = MaskCheck(min_area=0.01, max_area=0.25, max_empty=0.25, max_shift=0.1, max_growth=0.5)


def squares(*squares, side=100):
    """bool (f, side, side) with one square (top, left, side) a frame, or None for none."""
    mask = np.zeros((len(squares), side, side), bool)
    for frame, square in zip(mask, squares, strict=True):
        if square is not None:
            top, left, size = square
            frame[top : top + size, left : left + size] = True
    return mask


STEADY = [(40, 40, 20)] * 8


@pytest.mark.parametrize(
    ("mask", "refused"),
    [
        (squares(*STEADY), None),
        # 1 % and 25 % of the frame are accepted, slightly less and more are rejected.
        (squares(*[(0, 0, 10)] * 8), None),
        (squares(*[(0, 0, 9)] * 8), "MaskTooSmall"),
        (squares(*[(0, 0, 50)] * 8), None),
        (squares(*[(0, 0, 51)] * 8), "MaskTooLarge"),
        # Two of eight frames may be empty, three may not.
        (squares(*STEADY[:6], None, None), None),
        (squares(*STEADY[:5], None, None, None), "MaskEmpty"),
        (squares(*[None] * 8), "MaskEmpty"),
        # The diagonal is 141.4 pixels: 14 pixels are a shift of 0.099, 15 of 0.106.
        (squares((40, 40, 20), (40, 54, 20)), None),
        (squares((40, 40, 20), (40, 55, 20)), "MaskJumps"),
        (squares((40, 40, 20), (50, 50, 20)), None),
        (squares((40, 40, 20), (51, 51, 20)), "MaskJumps"),
        # From 400 to 576 pixels is 0.44 of the median, to 625 0.56; shrinking is as bad.
        (squares(*STEADY, (38, 38, 24)), None),
        (squares(*STEADY, (38, 38, 25)), "MaskJumps"),
        (squares(*STEADY, (44, 44, 15)), None),
        (squares(*STEADY, (44, 44, 14)), "MaskJumps"),
        # An empty frame counts as no jump, even if the mask reappears on the other side.
        (squares(*[(40, 0, 20)] * 4, None, *[(40, 80, 20)] * 4), None),
    ],
)
def test_each_threshold_rejects_exactly_the_masks_beyond(mask, refused):
    if refused is None:
        check_mask(mask, LIMITS)
        return
    with pytest.raises(Rejected, match="annotate.mask_check.m") as raised:
        check_mask(mask, LIMITS)
    assert raised.value.type == refused


def test_shifts_are_relative_to_the_diagonal_of_the_frame():
    """In a frame of 300 × 400 pixels, a motion of 50 pixels is a shift of 0.1."""
    mask = np.zeros((2, 300, 400), bool)
    mask[0, 100:200, 100:200] = mask[1, 100:200, 150:250] = True
    check_mask(mask, LIMITS)
    with pytest.raises(Rejected, match=r"moves 0\.10 diagonals after frame 0"):
        check_mask(mask, LIMITS.model_copy(update={"max_shift": 0.099}))


def test_an_empty_mask_is_refused_under_any_limits():
    with pytest.raises(Rejected, match="empty in 100%"):
        check_mask(np.zeros((4, 8, 8), bool), MaskCheck(min_area=0, max_empty=1))


def test_a_long_clip_must_be_within_the_limits_in_every_second():
    """A subject is absent for 3 of 60 seconds, at 8 frames per second."""
    mask = squares(*[(40, 40, 20)] * 480)
    check_mask(mask, LIMITS, stretch=16, fps=8)
    mask[160:184] = False
    check_mask(mask, LIMITS)
    with pytest.raises(Rejected, match=r"empty in 100% of the frames from 20\.0 to 22\.0 seconds"):
        check_mask(mask, LIMITS, stretch=16, fps=8)
    check_mask(mask, LIMITS.model_copy(update={"max_empty": 1}), stretch=16, fps=8)


def test_the_end_of_a_long_clip_is_checked_with_the_frames_before():
    mask = squares(*[(40, 40, 20)] * 36, *[(0, 0, 60)] * 4)
    loose = LIMITS.model_copy(update={"max_shift": 1, "max_growth": 99})
    check_mask(mask, loose, stretch=16, fps=8)
    mask[30:] = True
    with pytest.raises(Rejected, match=r"covers 100% of the frame from 3\.0 to 5\.0 seconds"):
        check_mask(mask, loose, stretch=16, fps=8)


def test_the_area_may_change_slowly_over_a_long_clip():
    """Growth is relative to the median area nearby, not to that of the clip."""
    sides = np.linspace(10, 50, 480).astype(int)
    mask = squares(*[(0, 0, side) for side in sides])
    check_mask(mask, LIMITS.model_copy(update={"max_growth": 0.25}), stretch=16, fps=8)


def test_the_defaults_accept_exact_masks_of_moving_sprites():
    masks = render([sample_scene(seed) for seed in range(40)]).masks
    for mask in masks:
        check_mask(mask[0].numpy(), MaskCheck())


@pytest.mark.parametrize(
    ("mask", "refused"),
    [
        (squares(*STEADY), None),
        (~squares(*STEADY), None),  # the background of a subject of 4 %
        (~squares(*[(0, 0, 9)] * 8), "MaskTooLarge"),
        (squares(*[(0, 0, 60)] * 8), "MaskTooLarge"),  # 36 %, and neither is 64 % a subject
        (squares(*[(0, 0, 100)] * 8), "MaskTooLarge"),
        (squares(*[None] * 8), "MaskEmpty"),
    ],
)
def test_a_mask_of_a_manifest_may_be_that_of_a_background(mask, refused):
    if refused is None:
        check_given_mask(mask, LIMITS)
    else:
        with pytest.raises(Rejected, match=f"^{refused}: the mask "):
            check_given_mask(mask, LIMITS)
