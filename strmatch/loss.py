"""What the edit descends: the distance between the source's and the target's attention."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from strmatch import compilation
from strmatch.attention import LayerMaps
from strmatch.score import str_score
from strmatch.settings import EditSettings


class Objective(NamedTuple):
    """What is compared of a block's attention maps, and how."""

    feature: Callable[[LayerMaps], Tensor]
    """Of one block. The maps of all its heads, or their mean alone."""
    terms: Callable[[Tensor, LayerMaps], Tensor]
    """(source's feature, target's maps) of one block → (terms,): the loss reduces those of all
    blocks together."""
    reduction: str
    """"sum" or "mean"."""


def make_objective(settings: EditSettings, compiled: bool = False) -> Objective:
    """The objective that `settings` names: Eq. 5 on the STR score, or the paper's ablation.

    Args:
        compiled: let PyTorch compile it.
    """
    if settings.objective == "concatenated_maps":
        feature: Callable[[LayerMaps], Tensor] = concatenate_maps
        distance: Callable[[Tensor, Tensor], Tensor] = squared_differences
    else:
        feature = partial(score_maps, radius=settings.radius)
        distance = partial(negative_cosines, cosine=settings.cosine)

    def terms(source: Tensor, maps: LayerMaps) -> Tensor:
        return distance(source, feature(maps))

    if compiled:
        parts = (compilation.compiled(feature), compilation.compiled(terms))
        return Objective(*parts, settings.reduction)
    return Objective(feature, terms, settings.reduction)


def score_maps(maps: LayerMaps, radius: int) -> Tensor:
    """The STR score of a block: Ω (f, h, n, n)."""
    return str_score(maps.spatial, maps.temporal, radius)


def negative_cosines(source: Tensor, target: Tensor, cosine: str = "row") -> Tensor:
    """Eq. 5's L before it is reduced: negative cosine similarities of two scores (f, h, n, n).

    Args:
        source, target: Ω_src and Ω_tgt of one block.
        cosine: "row" takes one cosine a row (i, p) over q; "layer" one over the whole block.

    Returns:
        (f·h·n,) or (1,); −1 at best.
    """
    if cosine == "layer":
        source, target = source.flatten(), target.flatten()
    return -torch.cosine_similarity(source, target, dim=-1).flatten()


def concatenate_maps(maps: LayerMaps) -> Tensor:
    """Both maps of a block as one vector: the feature of the paper's ablation."""
    return torch.cat([maps.spatial.flatten(), maps.temporal.flatten()])


def squared_differences(source: Tensor, target: Tensor) -> Tensor:
    """The ablation's L2 loss before it is reduced: (entries,)."""
    return (source - target).flatten().square()
