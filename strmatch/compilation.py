"""How what runs in every step of an edit is made fast: compiled, and on a GPU launched as one."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

VARIANTS = 64
"""Of a function, by shapes and by what else it is told. PyTorch's own limit is 8, and beyond it a
function runs as it is: less than two models of one process have kinds of passes."""

Function = Callable[..., Sequence[Tensor]]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled anew for each shape that it meets."""
    import torch._dynamo  # takes seconds, which others need not spend

    limit = torch._dynamo.config.recompile_limit
    torch._dynamo.config.recompile_limit = max(limit, VARIANTS)
    return torch.compile(function, dynamic=False)


class Recording:
    """A function of tensors on a GPU that is recorded once, and from then on launched as one.

    A step has thousands of kernels, and launching them one by one takes longer than they do. What
    the function does beside kernels is done while it is recorded, and not again.

    Args:
        function: of tensors, to tensors; it may compute gradients, and reads nothing back.
        inputs: the first ones. All others must have their shapes and dtypes.
    """

    def __init__(self, function: Function, inputs: Sequence[Tensor]) -> None:
        self._inputs = [tensor.clone() for tensor in inputs]
        before = torch.cuda.current_stream()
        aside = torch.cuda.Stream()
        aside.wait_stream(before)
        with torch.cuda.stream(aside):  # what is set up once must not be recorded
            for _ in range(2):
                function(*self._inputs)
        before.wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = function(*self._inputs)

    def __call__(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        for held, given in zip(self._inputs, inputs, strict=True):
            held.copy_(given)
        self._graph.replay()
        return [output.clone() for output in self._outputs]
