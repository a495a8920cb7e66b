"""Random scenes of the training list, and frames as the networks take them."""

import torch
from torch import Tensor

from strmatch.miniature.scenes import Scene, sample_scene


def draw_scenes(count: int, generator: torch.Generator, harder: float = 0.0) -> list[Scene]:
    """`count` scenes of the training list, a share of them of the harder kinds."""
    draws = torch.rand(count, generator=generator)
    return [
        sample_scene(generator, "train", "harder" if draw < harder else "core")
        for draw in draws.tolist()
    ]


def pixels(frames: Tensor) -> Tensor:
    """uint8 (…, H, W, 3) to float32 (…, 3, H, W) from -1 to 1."""
    return frames.movedim(-1, -3).float() / 127.5 - 1
