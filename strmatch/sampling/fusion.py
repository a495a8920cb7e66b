"""Fusion of results that were computed for windows of a clip."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from strmatch.sampling.windows import Window

FRAMES = 2
"""Dimension of the frames in latents (b, c, f, h, w)."""


def fuse(windows: Sequence[Window], function: Callable[[Window], Tensor]) -> Tensor:
    """Blend the results of a function for every window: Σ_k w_k(i) · x_k(i) at frame i.

    A single window gives the function's result itself. The results are added one by one, so that
    memory does not grow with the number of windows.

    Args:
        windows: windows that cover a clip, with weights that sum to 1 at every frame.
        function: returns (b, c, l, h, w) for a window of l frames.

    Returns:
        (b, c, f, h, w) for a clip of f frames.
    """
    if len(windows) == 1:
        return function(windows[0])
    fused: Tensor | None = None
    for window in windows:
        part = function(window)
        if fused is None:
            shape = list(part.shape)
            shape[FRAMES] = max(each.stop for each in windows)
            fused = part.new_zeros(shape)
        weights = torch.tensor(window.weights, dtype=part.dtype, device=part.device)
        fused[:, :, window.frames] += weights[:, None, None] * part
    assert fused is not None
    return fused


def of_window(tensor: Tensor, window: Window) -> Tensor:
    """The frames of a window in latents or a mask of the latents, (b, c, f, h, w)."""
    return tensor[:, :, window.frames]
