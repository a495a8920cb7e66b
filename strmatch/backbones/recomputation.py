"""Gradient checkpointing of a model's modules."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def recomputed(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Apply gradient checkpointing to `modules` inside the block."""
    lean = list(modules)
    for module in lean:
        module.forward = partial(
            checkpoint, module.forward, use_reentrant=False, preserve_rng_state=False
        )
    try:
        yield
    finally:
        for module in lean:
            del module.forward
