"""Spatial and temporal heads of a joint attention.

Heads of video transformers attend mostly to their own frame, or mostly to their own place in
other frames (Xi et al. 2025, Sparse VideoGen, arXiv 2502.01776). These are the two attentions of a
factorised model.
"""

import torch
from torch import Tensor

from strmatch.attention import JointChoice, LayerMaps
from strmatch.backbones.joint.slices import Grid, HeadSplit, joint_maps


@torch.no_grad()
def head_masses(query: Tensor, key: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Share of the joint attention of each head in the token's own frame, and at its own place.

    Args:
        query, key: (heads, text + f·n, d), after norms and rotary positions.
        grid: meaning of the tokens.

    Returns:
        Means over all tokens of the clip, (heads,) each. Both without the token itself.
    """
    maps = joint_maps(query, key, grid, JointChoice(slices="joint"))
    assert isinstance(maps, LayerMaps)
    own, same = (
        (each.sum(dim=-1) - each.diagonal(dim1=-2, dim2=-1)).mean(dim=(0, 2)) for each in maps
    )
    return own, same


def split_heads(own: Tensor, same: Tensor) -> HeadSplit:
    """The half of the heads with the larger share of their own frame, and the other half.

    Args:
        own, same: results of `head_masses` for at least two heads.
    """
    order = (own / (own + same)).argsort(descending=True, stable=True)
    half = (len(order) + 1) // 2
    return HeadSplit(order[:half].sort().values, order[half:].sort().values)
