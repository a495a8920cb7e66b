from itertools import combinations

import pytest
import torch

from strmatch.colours import delta_e, rgb_to_lab
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS


def lab(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    """The conversion of CIE 15, written out for one colour."""
    r, g, b = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)
    )
    xyz = (
        (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047,
        0.2126729 * r + 0.7151522 * g + 0.0721750 * b,
        (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883,
    )
    fx, fy, fz = (
        t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29 for t in xyz
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    return sum((a - b) ** 2 for a, b in zip(lab(one), lab(other), strict=True)) ** 0.5


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_values_of_known_colours(rgb, expected):
    assert rgb_to_lab(torch.tensor(rgb)).tolist() == pytest.approx(expected, abs=0.02)


def test_delta_e_equals_the_formula():
    red, blue = COLOURS["red"], COLOURS["blue"]
    found = float(delta_e(torch.tensor(red), torch.tensor(blue)))
    assert found == pytest.approx(difference(red, blue), abs=0.01)


def test_palette_colours_differ_from_each_other_and_from_every_background():
    assert len(COLOURS) >= 6
    for one, other in combinations(COLOURS.values(), 2):
        assert difference(one, other) >= 46  # twice the judge's limit for equal colours
    for colour in COLOURS.values():
        for figure, ground in BACKGROUNDS.values():
            for share in (0.0, 0.25, 0.5, 0.75, 1.0):
                mixed = [share * f + (1 - share) * g for f, g in zip(figure, ground, strict=True)]
                assert difference(colour, tuple(mixed)) >= 50
