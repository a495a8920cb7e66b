import math
from itertools import pairwise

import pytest

from strmatch.miniature.motions import shift
from strmatch.miniature.vocabulary import MOTIONS


@pytest.mark.parametrize("motion", MOTIONS)
def test_every_motion_has_zero_shift_at_time_zero(motion):
    assert shift(motion, 24.0, 0.3, 0.0) == pytest.approx((0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("motion", "end"),
    [
        ("left", (-24, 0, 0)),
        ("right", (24, 0, 0)),
        ("up", (0, -24, 0)),
        ("down", (0, 24, 0)),
        ("still", (0, 0, 0)),
        ("up-right", (24 / math.sqrt(2), -24 / math.sqrt(2), 0)),
        ("circle", (0, 0, 0)),
        ("zigzag", (24, 0, 0)),
        ("grow", (0, 0, 24)),
        ("shrink", (0, 0, -24)),
    ],
)
def test_the_end_of_each_motion(motion, end):
    assert shift(motion, 24.0, 0.3, 1.0) == pytest.approx(end, abs=1e-9)


def test_straight_motions_have_constant_speed():
    path = [shift("down-left", 24.0, 0.0, frame / 15) for frame in range(16)]
    steps = [math.dist(a, b) for a, b in pairwise(path)]
    assert steps == pytest.approx([24 / 15] * 15)


def test_a_circle_makes_one_turn_at_constant_radius():
    path = [shift("circle", 24.0, 0.25, frame / 60) for frame in range(61)]
    centre = (path[0].x, path[0].y - 12)  # a quarter turn: it starts at the bottom
    assert [math.dist(p[:2], centre) for p in path] == pytest.approx([12.0] * 61)


def test_a_zigzag_turns_three_times():
    path = [shift("zigzag", 24.0, 0.0, frame / 60) for frame in range(61)]
    climbs = [b.y - a.y for a, b in pairwise(path)]
    turns = sum(a * b < 0 for a, b in pairwise(climbs))
    assert turns == 3
    assert max(p.y for p in path) - min(p.y for p in path) == pytest.approx(12.0)


def test_an_unknown_motion_is_refused():
    with pytest.raises(ValueError, match="'hop'"):
        shift("hop", 24.0, 0.0, 0.5)
