"""Shades that move with a sprite, from integer hashes, which are equal on all machines."""

import torch
from torch import Tensor

CELL = 3.0  # side of a speckle in pixels
BAND = 3.0  # width of a stripe in pixels
DARKEST = 0.6


def shade(texture: str, x: Tensor, y: Tensor) -> Tensor:
    """Brightness, `DARKEST` to 1, at offsets (x, y) in pixels from the sprite's centroid.

    The offsets broadcast with each other.

    Raises:
        ValueError: unknown texture.
    """
    match texture:
        case "plain":
            return torch.ones_like(x + y)
        case "speckled":
            return DARKEST + (1 - DARKEST) * _value_noise(x / CELL, y / CELL)
        case "striped":
            along = torch.remainder(x + y * 0, 2 * BAND)
            light = (along - BAND).abs() - BAND / 2 + 0.5
            return DARKEST + (1 - DARKEST) * light.clamp(0, 1)
    raise ValueError(f"unknown texture {texture!r}")


def _value_noise(x: Tensor, y: Tensor) -> Tensor:
    """Linearly interpolated hashes of the integer lattice, 0 to 1."""
    left, top = torch.floor(x), torch.floor(y)
    dx, dy = x - left, y - top
    column, row = left.long(), top.long()
    upper = torch.lerp(_hash(column, row), _hash(column + 1, row), dx)
    lower = torch.lerp(_hash(column, row + 1), _hash(column + 1, row + 1), dx)
    return torch.lerp(upper, lower, dy)


def _hash(column: Tensor, row: Tensor) -> Tensor:
    """Hash of two integers to float64 in [0, 1), equal on all machines."""
    mixed = (column * 374_761_393 + row * 668_265_263) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 13)) * 1_274_126_177) & 0xFFFFFFFF
    return ((mixed ^ (mixed >> 16)) & 0xFFFF).double() / 0x10000
