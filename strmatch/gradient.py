"""Gradients through a UNet in half precision."""

from collections.abc import Sequence

import torch
from torch import Tensor

TARGET = 8.0
"""A power of two. The largest gradient at the outputs is scaled to at least half of it."""
SMALLEST = 2.0**-100
"""Gradients below are not scaled up further, which keeps the scale finite in float32."""


def scaled_gradient(
    outputs: Sequence[Tensor], at_outputs: Sequence[Tensor], inputs: Tensor
) -> Tensor:
    """Gradient of a loss at `inputs` from its gradients at `outputs`, by a scaled backward pass.

    The gradients at the outputs are multiplied by the power of two that brings the largest to
    `TARGET` / 2 … `TARGET`. The result is divided by it. Without the scale, the gradients of a
    normalised loss are too small for float16 (smallest number 6e-8) inside the UNet and are lost.
    A power of two changes no digit, so results in float32 are the same. The scale stays on the
    device, which needs no synchronisation. Gradients of zero stay zero.

    Args:
        outputs: tensors in at least float32, attached to the graph of `inputs`.
        at_outputs: gradients of the loss at the outputs, of their shapes and dtypes.
        inputs: in at least float32.

    Returns:
        The gradient, of the shape and dtype of `inputs`.
    """
    maxima = [torch.linalg.vector_norm(each, torch.inf) for each in at_outputs]
    largest = torch.stack(maxima).max().clamp_min(SMALLEST)
    scale = TARGET * torch.frexp(largest).mantissa / largest
    scaled = [each * scale for each in at_outputs]
    return torch.autograd.grad(outputs, inputs, scaled)[0] / scale
