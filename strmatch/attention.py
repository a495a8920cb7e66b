"""Attention with a fused kernel by default, and hooks to record or replace parts of it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor

Probe = Callable[[Tensor], None]
Exchange = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""Maps queries, keys and values (batch, heads, tokens, d) to their replacements."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    scale: float,
    bias: Tensor | None = None,
    probe: Probe | None = None,
    exchange: Exchange | None = None,
) -> Tensor:
    """softmax(scale · query keyᵀ + bias) value.

    Args:
        query: (batch, heads, queries, d).
        key, value: (batch, heads, keys, d).
        bias: added to the logits, broadcast to (batch, heads, queries, keys).
        probe: receives the probabilities (batch, heads, queries, keys). Without a probe the fused
            kernel runs and materialises no map, except for few keys on a GPU.
        exchange: replaces query, key and value before the attention.

    Returns:
        (batch, heads, queries, d).
    """
    if exchange is not None:
        query, key, value = exchange(query, key, value)
    # Fused GPU kernels process keys in large tiles, which are mostly padding for a few frames.
    few = key.is_cuda and key.shape[-2] <= key.shape[-1]
    if probe is None and not few:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)
    # Scaled before the product, which otherwise overflows in float16.
    logits = (query * scale) @ key.transpose(-1, -2)
    probabilities = (logits if bias is None else logits + bias).softmax(dim=-1)
    if probe is not None:
        probe(probabilities)
    return probabilities @ value


class Enough(Exception):
    """Ends a forward pass after the last recorded module."""


@contextmanager
def record_attention(
    modules: Mapping[str, Any], leave: bool = False, mean_heads: bool = False
) -> Iterator[dict[str, Tensor]]:
    """Record the attention probabilities of `modules` in forward passes inside the block.

    Each module passes its `probe` attribute to `attend`. Yields a dict that every forward pass
    fills: name → (batch, heads, queries, keys), attached to the autograd graph. A second pass
    inside the block replaces the maps of the first.

    Args:
        modules: attention modules by name.
        leave: end the forward pass and the block after the last map.
        mean_heads: average the heads of each map when it is recorded: (batch, 1, queries, keys).
    """
    maps: dict[str, Tensor] = {}

    def keep_as(name: str) -> Probe:
        def keep(probabilities: Tensor) -> None:
            maps[name] = probabilities.mean(dim=1, keepdim=True) if mean_heads else probabilities
            if leave and len(maps) == len(modules):
                raise Enough

        return keep

    for name, module in modules.items():
        module.probe = keep_as(name)
    try:
        yield maps
    except Enough:
        pass
    finally:
        for module in modules.values():
            module.probe = None


@contextmanager
def exchange_attention(exchanges: Collection[tuple[Any, Exchange]]) -> Iterator[None]:
    """Apply exchanges to the queries, keys and values of modules inside the block.

    Each module passes its `exchange` attribute to `attend`.

    Args:
        exchanges: pairs of an attention module and its exchange.
    """
    for module, exchange in exchanges:
        module.exchange = exchange
    try:
        yield
    finally:
        for module, _ in exchanges:
            module.exchange = None


class JointChoice(NamedTuple):
    """Form of the maps that are taken from a joint attention over space and time.

    The defaults fit every model. Factorised attention has no other form.
    """

    slices: Literal["renormalised", "joint", "direct"] = "renormalised"
    """renormalised: rows of S and T that sum to 1. joint: rows as they are in the joint map.
    direct: the relevance of adjacent frames read from the joint map, instead of S and T."""
    neighbourhood: int = 1
    """Side of the square of positions that T sums over in the other frames, odd."""
    separated: bool = False
    """Whether S is the mean of the spatial heads and T that of the temporal heads."""
    radius: int = 1
    """Largest distance of adjacent frames, of direct relevance."""


class MapChoice(NamedTuple):
    """Selection of a model's attention maps."""

    levels: tuple[int, ...] | None = None
    """UNet resolutions, 0 being the finest, or indices of the blocks of a transformer. None selects
    all resolutions but the finest, or the middle third of the blocks."""
    temporal: str = "first"
    """Temporal attention of blocks that have two: "first", "second", or "mean" of both."""
    mean_heads: bool = False
    """Average over the heads."""
    joint: JointChoice = JointChoice()
    """Form of the maps of a joint attention."""


class LayerMaps(NamedTuple):
    """Attention probabilities of one transformer block for one clip."""

    spatial: Tensor
    """(f, h, n, n), rows sum to 1."""
    temporal: Tensor
    """(n, h, f, f), rows sum to 1."""


class Relevance(NamedTuple):
    """Relevance of adjacent frames that a block's joint attention states directly."""

    omega: Tensor
    """(f, h, n, n), in place of the STR score of the block."""
