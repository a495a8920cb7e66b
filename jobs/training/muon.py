"""Muon, an optimizer with orthogonalised momentum (Jordan et al. 2024)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from jobs.training.precision import product_type
from jobs.training.workers import Worker

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonal matrix nearest to the gradient's momentum.

    A convolution counts as the matrix (out, in · height · width). Steps have the root mean square
    of AdamW's steps at the same learning rate (Liu et al. 2025), so that both use the same rate.
    The matrix products are divided among the workers.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, worker: Worker
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})
        self.worker = worker

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            directions = self._share([self._momentum(p) for p in parameters])
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                scale = 0.2 * max(direction.shape) ** 0.5
                parameter.add_(direction.view_as(parameter), alpha=-group["lr"] * scale)

    def _momentum(self, parameter: nn.Parameter) -> Tensor:
        """Returns the Nesterov momentum of the gradient, flattened to a matrix."""
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if "average" not in state:
            state["average"] = torch.zeros_like(gradient)
        average = state["average"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(average, MOMENTUM).flatten(1)

    def _share(self, matrices: list[Tensor]) -> list[Tensor]:
        """Returns orthogonalised matrices, each computed by one worker, batched by shape."""
        by_shape = defaultdict(list)
        for index, matrix in enumerate(matrices):
            by_shape[matrix.shape].append(index)
        results = [torch.zeros_like(matrix) for matrix in matrices]
        for indices in by_shape.values():
            own = indices[self.worker.index :: self.worker.count]
            if own:
                stacked = orthogonalise(torch.stack([matrices[index] for index in own]))
                for index, matrix in zip(own, stacked, strict=True):
                    results[index] = matrix * self.worker.count
        self.worker.average(results)
        return results


def orthogonalise(matrices: Tensor) -> Tensor:
    """Returns matrices (b, m, n) with singular values near 1, by quintic Newton–Schulz iteration.

    Computed in bfloat16 where that is fast: the iteration converges only to values between 0.7
    and 1.2 in any precision.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x.to(product_type(matrices.device.type))
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(matrices.dtype)
