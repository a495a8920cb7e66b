"""What the edit descends: the distance between the source's and the target's attention."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from strmatch.score import str_score
from strmatch.settings import EditSettings


class LayerMaps(NamedTuple):
    """Attention probabilities of one transformer block for one clip."""

    spatial: Tensor
    """(f, h, n, n), rows sum to 1."""
    temporal: Tensor
    """(n, h, f, f), rows sum to 1."""


class Objective(NamedTuple):
    """A feature of the attention maps and a distance between two clips' features."""

    features: Callable[[Sequence[LayerMaps]], list[Tensor]]
    distance: Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]


def make_objective(settings: EditSettings) -> Objective:
    """The objective that `settings` names: Eq. 5 on the STR score, or the paper's ablation."""

    def reduce_heads(maps: LayerMaps) -> LayerMaps:
        if settings.heads == "paired":
            return maps
        return LayerMaps(maps.spatial.mean(1, keepdim=True), maps.temporal.mean(1, keepdim=True))

    def scores(layers: Sequence[LayerMaps]) -> list[Tensor]:
        return [str_score(*reduce_heads(maps), radius=settings.radius) for maps in layers]

    def cosine(source: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
        return negative_cosine(source, target, settings.cosine, settings.reduction)

    def concatenated(layers: Sequence[LayerMaps]) -> list[Tensor]:
        return [concatenate_maps(reduce_heads(maps)) for maps in layers]

    def squared(source: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
        return squared_l2(source, target, settings.reduction)

    if settings.objective == "concatenated_maps":
        return Objective(concatenated, squared)
    return Objective(scores, cosine)


def negative_cosine(
    source: Sequence[Tensor],
    target: Sequence[Tensor],
    cosine: str = "row",
    reduction: str = "sum",
) -> Tensor:
    """Eq. 5's L: the negative cosine similarity of two lists of scores, one (f, h, n, n) a layer.

    Args:
        source, target: Ω_src and Ω_tgt, layer by layer.
        cosine: "row" takes one cosine a row (i, p) over q; "layer" one over a whole layer.
        reduction: "sum" or "mean" over all cosines of all layers.

    Returns:
        Scalar; −(number of cosines) at best with "sum", −1 with "mean".
    """
    cosines = []
    for a, b in zip(source, target, strict=True):
        if cosine == "layer":
            a, b = a.flatten(), b.flatten()
        cosines.append(torch.cosine_similarity(a, b, dim=-1).flatten())
    return -_reduce(torch.cat(cosines), reduction)


def concatenate_maps(maps: LayerMaps) -> Tensor:
    """Both maps of a layer as one vector: the feature of the paper's ablation."""
    return torch.cat([maps.spatial.flatten(), maps.temporal.flatten()])


def squared_l2(
    source: Sequence[Tensor], target: Sequence[Tensor], reduction: str = "sum"
) -> Tensor:
    """The ablation's L2 loss: squared differences over all entries of all layers; scalar."""
    differences = [(a - b).flatten() for a, b in zip(source, target, strict=True)]
    return _reduce(torch.cat(differences).square(), reduction)


def _reduce(values: Tensor, reduction: str) -> Tensor:
    return values.sum() if reduction == "sum" else values.mean()
