"""Connected components of batches of masks."""

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_PATH = 96  # pixels: maximum length of a path within a component


def spread(values: Tensor) -> Tensor:
    """Maximum of each 3 × 3 neighbourhood of non-negative values (n, H, W).

    Equals max pooling and is eight times faster on a CPU.
    """
    padded = F.pad(values, (1, 1, 1, 1))
    rows = torch.maximum(torch.maximum(padded[:, :-2], padded[:, 2:]), padded[:, 1:-1])
    return torch.maximum(torch.maximum(rows[:, :, :-2], rows[:, :, 2:]), rows[:, :, 1:-1])


def label_components(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Label the 8-connected components of each mask, bool (n, H, W).

    Returns:
        labels, long (n, H, W), 0 outside of the mask, and the area of every label in pixels, long
        (n, H·W + 1), with 0 for label 0.
    """
    n, height, width = masks.shape
    pixels = height * width
    index = torch.arange(1, pixels + 1, device=masks.device, dtype=torch.int32)
    labels = index.view(height, width) * masks
    for _ in range(MAX_PATH):
        grown = spread(labels) * masks
        if torch.equal(grown, labels):
            break
        labels = grown
    flat = labels.flatten(1).long()
    areas = torch.zeros(n, pixels + 1, dtype=torch.long, device=masks.device)
    areas.scatter_add_(1, flat, torch.ones_like(flat))
    areas[:, 0] = 0
    return flat.view(n, height, width), areas


def largest_component(masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The largest 8-connected component of each mask.

    Args:
        masks: bool (n, H, W).

    Returns:
        The component, bool (n, H, W), and the areas of the largest and second largest component,
        long (n), in pixels.
    """
    labels, areas = label_components(masks)
    (first, second), (label, _) = (part.unbind(1) for part in areas.topk(2, dim=1))
    component = (labels == label[:, None, None]) & (first > 0)[:, None, None]
    return component, first, second
