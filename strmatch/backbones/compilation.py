"""Compilation of the functions that run in every step of an edit."""

from collections.abc import Callable
from typing import Any

VARIANTS = 64
"""Recompilation limit per function (distinct shapes and arguments). PyTorch's default is 8, beyond
which a function runs uncompiled. Two models in one process exceed that default."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled for each input shape."""
    import torch._dynamo  # here, because the import takes seconds that uncompiled runs can save

    limit = torch._dynamo.config.recompile_limit
    torch._dynamo.config.recompile_limit = max(limit, VARIANTS)
    return torch.compile(function, dynamic=False)
