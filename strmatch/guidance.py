"""Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.sampling.fusion import fuse, of_window
from strmatch.sampling.windows import Window


def guided_epsilon(
    backbone: Backbone,
    latents: Tensor,
    timestep: int,
    unconditional: Tensor,
    target: Tensor,
    scale: float,
    windows: Sequence[Window] | None = None,
) -> Tensor:
    """Guided noise ε_u + scale · (ε_c − ε_u), (b, c, f, h, w), fused over the windows of the clip.

    Needs a single pass without guidance if both embeddings are one tensor or the scale is 1.

    Args:
        backbone: see `strmatch.load_backbone`.
        latents: (b, c, f, h, w).
        timestep: timestep label of the noise level.
        unconditional, target: (b, tokens, d).
        scale: guidance scale.
        windows: windows of the clips. None: the clips are single windows.
    """

    def guided(part: Tensor) -> Tensor:
        if scale == 1 or unconditional is target:
            return backbone.epsilon(part, timestep, target)
        if len(part) > 1:
            part = torch.cat([part] * 2)
        both = torch.cat([unconditional, target])
        epsilon_u, epsilon_c = backbone.epsilon(part, timestep, both).chunk(2)
        return epsilon_u + scale * (epsilon_c - epsilon_u)

    if windows is None:
        return guided(latents)
    return fuse(windows, (guided(of_window(latents, window)) for window in windows))
