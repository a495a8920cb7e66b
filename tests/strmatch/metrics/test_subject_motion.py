import math

import numpy as np
import pytest

from strmatch.metrics.subject_motion import SubjectMotion
from tests.strmatch.metrics.clips import beside, panned

METRIC = SubjectMotion()
FRAMES = 6


def moving(step, still=False):
    """A textured disc that moves over grey by `step` (x, y) pixels a frame, and its mask."""
    y, x = np.mgrid[:64, :64]
    frames, mask = np.full((FRAMES, 64, 64, 3), 128, np.uint8), np.zeros((FRAMES, 64, 64), bool)
    texture = panned("smooth", (64, 64), (0, 0), 1)[0]
    for index in range(FRAMES):
        across, down = (0, 0) if still else (index * step[0], index * step[1])
        mask[index] = (x - 30 - across) ** 2 + (y - 32 - down) ** 2 < 12**2
        frames[index][mask[index]] = np.roll(texture, (down, across), (0, 1))[mask[index]]
    return frames, mask


def test_equal_motion_has_no_error():
    source, mask = moving((1, 0))
    assert METRIC(beside(source, source, mask)) == 0
    darker = source // 2 + 20
    assert METRIC(beside(source, darker, mask)) < 0.15


@pytest.mark.parametrize("step", [(1, 0), (0, -2), (2, 1)])
def test_a_frozen_subject_loses_its_speed_and_an_opposite_one_doubles_the_error(step):
    """The disc moves as a whole, so that its flow is `step` in all its pixels but the edge."""
    source, mask = moving(step)
    speed = math.hypot(*step)
    frozen = METRIC(beside(source, moving(step, still=True)[0], mask))
    assert frozen == pytest.approx(speed / (speed + 0.5), rel=0.3)
    opposite = METRIC(beside(source, source[::-1].copy(), mask[::-1].copy()))
    assert opposite > 1.4 * frozen


def test_the_motion_of_the_background_does_not_count():
    source, mask = moving((1, 0))
    pan = panned("waves", (64, 64), (2, 0), FRAMES)
    edited = np.where(mask[..., None], source, pan)
    outer = METRIC(beside(source, edited, mask))
    assert outer < 0.5 < METRIC(beside(source, edited, ~mask))
    of_background = beside(source, edited, ~mask)._replace(where="background")
    assert METRIC(of_background) == outer


def test_clips_without_a_subject_have_no_value():
    source, mask = moving((1, 0))
    assert math.isnan(METRIC(beside(source, source, None)))
    assert math.isnan(METRIC(beside(source, source, np.zeros_like(mask))))
    assert math.isnan(METRIC(beside(source[:1], source[:1], mask[:1])))
