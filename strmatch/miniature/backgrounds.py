"""Background patterns, all with a period of 16 × 16 pixels."""

import torch
from torch import Tensor

from strmatch.miniature.shapes import coverage

PERIOD = 16
DOT_RADIUS = 2.75
MORTAR = 1.5


def figure_coverage(background: str, x: Tensor, y: Tensor, pixel: float = 1.0) -> Tensor:
    """Share of each pixel that shows the pattern's first colour, 0 to 1.

    Args:
        background: name of the pattern.
        x, y: pattern coordinates of the pixel centres, broadcast with each other.
        pixel: side of a pixel in pattern coordinates.

    Raises:
        ValueError: unknown pattern.
    """
    match background:
        case "bricks":
            row_is_odd = torch.floor((y + 0.5) / 8).remainder(2)
            along, across = _distance(x + 0.5 + 8 * row_is_odd, 16), _distance(y + 0.5, 8)
            return coverage(MORTAR / 2 - along, pixel) * coverage(MORTAR / 2 - across, pixel)
        case "stripes":
            return coverage((_distance(x + y + 0.5, 16) - 4) / 2**0.5, pixel)
        case "checks":
            left = coverage(_distance(x + 4.5, 16) - 4, pixel)
            top = coverage(_distance(y + 4.5, 16) - 4, pixel)
            return left * top + (1 - left) * (1 - top)
        case "dots":
            one = torch.hypot(_distance(x - 3.5, 16), _distance(y - 3.5, 16))
            other = torch.hypot(_distance(x - 11.5, 16), _distance(y - 11.5, 16))
            return coverage(torch.minimum(one, other) - DOT_RADIUS, pixel)
    raise ValueError(f"unknown background {background!r}")


def _distance(x: Tensor, period: float) -> Tensor:
    """Distance to the nearest multiple of `period`."""
    return (torch.remainder(x + period / 2, period) - period / 2).abs()
