"""Random scenes of the training list."""

import torch

from strmatch.miniature.scenes import Scene, sample_scene


def draw_scenes(count: int, generator: torch.Generator, harder: float = 0.0) -> list[Scene]:
    """Draws `count` scenes of the training list, the share `harder` of them of harder kinds."""
    draws = torch.rand(count, generator=generator)
    return [
        sample_scene(generator, "train", "harder" if draw < harder else "core")
        for draw in draws.tolist()
    ]
