"""UNet features averaged over space, as compared by DMT (Yatim et al. 2024, arXiv 2311.17009)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from strmatch.attention import Enough


@contextmanager
def record_averages(modules: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Record the outputs of `modules` for one clip, averaged over space, in order of execution.

    Yields a list that a forward pass inside the block fills with tensors (f, c), attached to the
    autograd graph. The pass and the block end after the last module.
    """
    averages: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        averages.append(over_space(output))
        if len(averages) == len(modules):
            raise Enough

    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        yield averages
    except Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()


def over_space(output: Tensor) -> Tensor:
    """Mean over space (f, c) of one clip's output (1, c, f, h, w), (f, c, h, w) or (n, f, c)."""
    if output.ndim == 5:
        return output[0].mean(dim=(-2, -1)).T
    if output.ndim == 4:
        return output.mean(dim=(-2, -1))
    return output.mean(dim=0)
