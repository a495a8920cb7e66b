"""How what runs in every step of an edit is compiled."""

from collections.abc import Callable
from typing import Any

VARIANTS = 64
"""Of a function, by shapes and by what else it is told. PyTorch's own limit is 8, beyond which a
function runs as it is; two models in one process already have more kinds of passes."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled anew for each shape that it meets."""
    import torch._dynamo  # takes seconds, which others need not spend

    limit = torch._dynamo.config.recompile_limit
    torch._dynamo.config.recompile_limit = max(limit, VARIANTS)
    return torch.compile(function, dynamic=False)
