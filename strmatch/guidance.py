"""Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598)."""

import torch
from torch import Tensor

from strmatch.backbones.base import Backbone


def guided_epsilon(
    backbone: Backbone,
    latents: Tensor,
    timestep: int,
    unconditional: Tensor,
    target: Tensor,
    scale: float,
) -> Tensor:
    """Guided noise ε_u + scale · (ε_c − ε_u), (b, c, f, h, w).

    Needs a single pass without guidance if both embeddings are one tensor or the scale is 1.

    Args:
        backbone: see `strmatch.load_backbone`.
        latents: (b, c, f, h, w).
        timestep: timestep label of the noise level.
        unconditional, target: (b, tokens, d).
        scale: guidance scale.
    """
    if scale == 1 or unconditional is target:
        return backbone.epsilon(latents, timestep, target)
    both = torch.cat([unconditional, target])
    if len(latents) > 1:
        latents = torch.cat([latents] * 2)
    epsilon_u, epsilon_c = backbone.epsilon(latents, timestep, both).chunk(2)
    return epsilon_u + scale * (epsilon_c - epsilon_u)
