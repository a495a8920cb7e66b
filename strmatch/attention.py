"""Attention that is fused by default, and open to whoever asks to look at it or to change it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor

Probe = Callable[[Tensor], None]
Exchange = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""Queries, keys and values (batch, heads, tokens, d) to those that are taken in their place."""


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
        probe: receives the probabilities (batch, heads, queries, keys); without one the fused
            kernel runs and no map is ever materialised, unless it is small.
        exchange: puts others in the place of query, key and value, before all else.

    Returns:
        (batch, heads, queries, d).
    """
    if exchange is not None:
        query, key, value = exchange(query, key, value)
    # Fused kernels of a GPU work on many keys at once: with as few as frames most are padding.
    few = key.is_cuda and key.shape[-2] <= key.shape[-1]
    if probe is None and not few:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)
    logits = query @ key.transpose(-1, -2) * scale
    probabilities = (logits if bias is None else logits + bias).softmax(dim=-1)
    if probe is not None:
        probe(probabilities)
    return probabilities @ value


class Enough(Exception):
    """All that is recorded is there: the rest of the pass is of no use."""


@contextmanager
def record_attention(
    modules: Mapping[str, Any], leave: bool = False, mean_heads: bool = False
) -> Iterator[dict[str, Tensor]]:
    """Collect the attention probabilities of `modules` during the forward passes inside the block.

    Each module hands its `probe` attribute to `attend`. Yields a dict that every forward pass
    fills: name → (batch, heads, queries, keys), attached to the graph. A second pass inside the
    block replaces the maps of the first.

    Args:
        modules: by name.
        leave: leave the block, and the forward pass, as soon as the last map is there.
        mean_heads: average the heads of each map as it is made: (batch, 1, queries, keys).
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
    """Let modules attend with what their exchanges make of queries, keys and values.

    Each module hands its `exchange` attribute to `attend`.
    """
    for module, exchange in exchanges:
        module.exchange = exchange
    try:
        yield
    finally:
        for module, _ in exchanges:
            module.exchange = None


class MapChoice(NamedTuple):
    """Which attention maps of a model are looked at."""

    levels: tuple[int, ...] | None = None
    """Resolutions, 0 the finest; None: all but the finest."""
    temporal: str = "first"
    """Of two temporal attentions of a block: "first", "second", or "mean" of both."""
    mean_heads: bool = False
    """Average the heads into one."""


class LayerMaps(NamedTuple):
    """Attention probabilities of one transformer block for one clip."""

    spatial: Tensor
    """(f, h, n, n), rows sum to 1."""
    temporal: Tensor
    """(n, h, f, f), rows sum to 1."""
