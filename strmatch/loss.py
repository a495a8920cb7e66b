"""The loss of an edit: the distance between the attention of source and target."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from strmatch.attention import LayerMaps, Relevance
from strmatch.backbones import compilation
from strmatch.score import str_score
from strmatch.settings import EditSettings


class Objective(NamedTuple):
    """Feature of a block's attention maps and the distance between two features."""

    feature: Callable[[Any], Tensor]
    """Feature of one block, from the maps of all heads or their mean."""
    terms: Callable[[Tensor, Any], Tensor]
    """Loss terms (n,) of one block from the source's feature and the target's maps."""
    reduction: str
    """Reduction over the terms of all blocks, "sum" or "mean"."""
    joint: Callable[[Tensor], Tensor] | None = None
    """The loss from the terms (n,) summed over all blocks, where it is not their reduction."""


def make_objective(settings: EditSettings, compiled: bool = False) -> Objective:
    """The objective selected by `settings`: Eq. 5 on the STR score, or the paper's ablation.

    Args:
        compiled: compile the objective with `torch.compile`.
    """
    joint = None
    if settings.objective == "concatenated_maps":
        feature: Callable[[Any], Tensor] = concatenate_maps
        distance: Callable[[Tensor, Tensor], Tensor] = squared_differences
    else:
        feature = partial(score_maps, radius=settings.radius)
        distance = partial(negative_cosines, cosine=settings.cosine)
        if settings.cosine == "all":
            distance, joint = inner_products, cosine_loss

    def terms(source: Tensor, maps: LayerMaps | Relevance) -> Tensor:
        return distance(source, feature(maps))

    if compiled:
        parts = (compilation.compiled(feature), compilation.compiled(terms))
        return Objective(*parts, settings.reduction, joint)
    return Objective(feature, terms, settings.reduction, joint)


def score_maps(maps: LayerMaps | Relevance, radius: int) -> Tensor:
    """STR score Ω (f, h, n, n) of a block, Eq. 4, or the relevance that its attention states."""
    if isinstance(maps, Relevance):
        return maps.omega
    return str_score(maps.spatial, maps.temporal, radius)


def negative_cosines(source: Tensor, target: Tensor, cosine: str = "row") -> Tensor:
    """L of Eq. 5 before reduction: negative cosine similarities of two scores.

    Args:
        source, target: Ω_src and Ω_tgt of one block, (f, h, n, n).
        cosine: "row" computes one cosine per row (i, p) over q, "layer" one per block.

    Returns:
        (f·h·n,) or (1,), each from −1 (equal direction) to 1.
    """
    if cosine == "layer":
        source, target = source.flatten(), target.flatten()
    return -torch.cosine_similarity(source, target, dim=-1).flatten()


def inner_products(source: Tensor, target: Tensor) -> Tensor:
    """Inner products (3,) of two scores: source with target, source and target with themselves.

    The sums over all blocks are the inner products of the concatenated scores.
    """
    pairs = ((source, target), (source, source), (target, target))
    return torch.stack([(a * b).sum() for a, b in pairs])


def cosine_loss(products: Tensor) -> Tensor:
    """Negative cosine similarity (scalar) from the `inner_products` of the concatenated scores."""
    between, of_source, of_target = products
    return -between / (of_source.sqrt() * of_target.sqrt())


def concatenate_maps(maps: LayerMaps) -> Tensor:
    """Both maps of a block as one vector (entries,), the feature of the paper's ablation."""
    return torch.cat([maps.spatial.flatten(), maps.temporal.flatten()])


def squared_differences(source: Tensor, target: Tensor) -> Tensor:
    """L2 loss of the ablation before reduction, (entries,)."""
    return (source - target).flatten().square()
