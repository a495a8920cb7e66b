"""Recognition of the background by comparing the repeated tile of a frame with every pattern."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from strmatch.miniature.backgrounds import PERIOD, figure_coverage
from strmatch.miniature.vocabulary import BACKGROUNDS

MAX_DIFFERENCE = 28.0  # root mean square over the tile, in levels of 255
MAX_PIXEL_DIFFERENCE = 50.0  # Euclidean in RGB
MAX_VIVIDNESS = 95.0  # range of the channels; patterns have at most 60, sprites at least 136
MIN_SHARE = 0.6  # of the frame's pixels; the largest sprite covers 22 %


class Patterns(NamedTuple):
    """Backgrounds of a batch of frames."""

    names: Tensor
    """long (n): index into BACKGROUNDS, or -1 if no pattern matches."""
    colours: Tensor
    """float32 (n, 2, 3): figure and ground colour of the closest pattern."""
    plate: Tensor
    """float32 (n, H, W, 3): the frame without its subject."""


def find_patterns(frames: Tensor, several: bool = False) -> Patterns:
    """Reduce each frame to one tile and compare the tile with every pattern at every shift.

    Args:
        frames: float32 (n, H, W, 3), 0 to 255, sides are multiples of the patterns' period.
        several: whether the frames have several sprites, which together may cover most copies of a
            tile's pixel. Vivid pixels are then ignored.
    """
    height, width = frames.shape[1:3]
    seen = frames
    if several:
        vivid = frames.amax(dim=-1) - frames.amin(dim=-1) > MAX_VIVIDNESS
        seen = torch.where(vivid[..., None], torch.nan, frames)
    tiles = seen.unflatten(2, (-1, PERIOD)).unflatten(1, (-1, PERIOD))  # (n, i, 16, j, 16, 3)
    # A sprite covers at most a quarter of the copies of a tile's pixel.
    tile = tiles.permute(0, 2, 4, 5, 1, 3).flatten(4).nanmedian(dim=-1).values  # (n, 16, 16, 3)
    tile = tile.nan_to_num(nan=0.0)

    every = templates().to(frames)  # (backgrounds, shifts, 768)
    shifts = every.shape[1]
    difference = torch.cdist(tile.flatten(1), every.flatten(0, 1)) / tile[0].numel() ** 0.5
    smallest, best = difference.min(dim=1)
    names = best // shifts
    template = every.flatten(0, 1)[best].unflatten(1, (PERIOD, PERIOD, 3))

    expected = _repeat(template, height, width)
    close = torch.linalg.vector_norm(frames - expected, dim=-1) < MAX_PIXEL_DIFFERENCE
    holds = (smallest < MAX_DIFFERENCE) & (close.flatten(1).float().mean(dim=1) > MIN_SHARE)
    colours = frames.new_tensor(list(BACKGROUNDS.values()))[names]
    return Patterns(torch.where(holds, names, -1), colours, _repeat(tile, height, width))


def _repeat(tile: Tensor, height: int, width: int) -> Tensor:
    return tile.repeat(1, height // PERIOD, width // PERIOD, 1)


@cache
def templates() -> Tensor:
    """Each pattern at each whole-pixel shift, float32 (backgrounds, 256, 768)."""
    axis = torch.arange(PERIOD, dtype=torch.float64)
    patterns = []
    for name, colours in BACKGROUNDS.items():
        figure, ground = torch.tensor(colours, dtype=torch.float64)
        share = figure_coverage(name, axis, axis[:, None])[..., None]
        tile = share * figure + (1 - share) * ground
        shifted = [
            tile.roll((down, right), dims=(0, 1)).flatten()
            for down in range(PERIOD)
            for right in range(PERIOD)
        ]
        patterns.append(torch.stack(shifted))
    return torch.stack(patterns).float()
