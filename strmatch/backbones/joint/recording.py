"""Queries and keys of diffusers' joint attentions, without a change of their computation.

The attention of a block runs as diffusers wrote it. The queries and keys are those that it passes
to the fused kernel, after norms and rotary positions.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from strmatch.attention import Enough

Pair = tuple[Tensor, Tensor]
"""Queries and keys, (batch, heads, tokens, d) each."""


@contextmanager
def record_queries_and_keys(
    attentions: Mapping[int, nn.Module], leave: bool = False
) -> Iterator[dict[int, Pair]]:
    """Record the queries and keys of `attentions` in forward passes inside the block.

    Yields a dict that every forward pass fills: block → queries and keys, attached to the autograd
    graph.

    Args:
        attentions: attention modules of diffusers by the index of their block.
        leave: end the forward pass and the block at the last of them, before its attention runs.

    Raises:
        ValueError: an attention does not use PyTorch's fused kernel.
    """
    pairs: dict[int, Pair] = {}

    def keep(block: int, query: Tensor, key: Tensor) -> None:
        pairs[block] = query, key
        if leave and len(pairs) == len(attentions):
            raise Enough

    for block, attention in attentions.items():
        attention.forward = partial(_watched, attention.forward, partial(keep, block))
    try:
        yield pairs
    except Enough:
        pass
    finally:
        for attention in attentions.values():
            del attention.forward
    missing = attentions.keys() - pairs.keys()
    if missing:
        raise ValueError(
            f"the attention of block {min(missing)} does not call scaled_dot_product_attention: "
            'set the attention backend of diffusers to "native" (DIFFUSERS_ATTN_BACKEND)'
        )


def _watched(
    forward: Callable[..., Any], keep: Callable[[Tensor, Tensor], None], *args: Any, **kwargs: Any
) -> Any:
    with _Watch(keep):
        return forward(*args, **kwargs)


class _Watch(TorchFunctionMode):
    """Shows the queries and keys of the fused attention to `keep`, before the attention runs."""

    def __init__(self, keep: Callable[[Tensor, Tensor], None]) -> None:
        super().__init__()
        self.keep = keep

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            named = dict(zip(("query", "key"), args, strict=False)) | kwargs
            self.keep(named["query"], named["key"])
        return func(*args, **kwargs)
