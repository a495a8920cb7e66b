"""Random scenes of the training list, and frames as the networks take them."""

import torch

from strmatch.miniature.scenes import Scene, sample_scene


def draw_scenes(count: int, generator: torch.Generator, harder: float = 0.0) -> list[Scene]:
    """`count` scenes of the training list, a share of them of the harder kinds."""
    draws = torch.rand(count, generator=generator)
    return [
        sample_scene(generator, "train", "harder" if draw < harder else "core")
        for draw in draws.tolist()
    ]
