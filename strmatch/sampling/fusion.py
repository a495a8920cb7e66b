"""Fusion of results that were computed for windows of a clip."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from strmatch.sampling.windows import Weights, Window, find_windows

FRAMES = 2
"""Dimension of the frames in latents (b, c, f, h, w)."""


class WindowSettings(Protocol):
    """Settings that divide a clip into windows: those of an edit or of a baseline."""

    @property
    def window_stride(self) -> int | None: ...

    @property
    def window_weights(self) -> Weights: ...


class WindowModel(Protocol):
    """What decides the length of windows: a `Backbone`."""

    num_frames: int

    def clip_frames(self, latent_frames: int) -> int: ...


def clip_windows(
    latents: Tensor, backbone: WindowModel, settings: WindowSettings
) -> tuple[Window, ...]:
    """Windows of latents, of the length that the backbone was trained on.

    Args:
        latents: (b, c, f, h, w).
        backbone: see `strmatch.load_backbone`.
        settings: with the stride in frames of the clip.

    Raises:
        ValueError: see `check_stride_fits`.
    """
    check_stride_fits(settings.window_stride, backbone)
    stride = settings.window_stride and settings.window_stride // _frames_a_latent(backbone)
    return find_windows(latents.shape[FRAMES], backbone.num_frames, stride, settings.window_weights)


def check_stride_fits(window_stride: int | None, backbone: WindowModel) -> None:
    """Check the frames from one window to the next against the windows of a backbone.

    Raises:
        ValueError: the stride is longer than a window, or no multiple of the frames that a model
            which compresses time holds in a latent frame.
    """
    step = _frames_a_latent(backbone)
    longest = step * backbone.num_frames
    if window_stride is not None and (window_stride % step or window_stride > longest):
        raise ValueError(
            f"window_stride must be from {step} to {longest}, a window, in steps of {step}, "
            f"got {window_stride}"
        )


def _frames_a_latent(backbone: WindowModel) -> int:
    return backbone.clip_frames(2) - backbone.clip_frames(1)


def fuse(windows: Sequence[Window], parts: Iterable[Tensor]) -> Tensor:
    """Blend the results x_k of all windows: Σ_k w_k(i) · x_k(i) at frame i.

    The only result of a single window is returned unchanged. The results are added one by one, so
    that memory does not grow with the number of windows if `parts` is a generator.

    Args:
        windows: windows that cover a clip, with weights that sum to 1 at every frame.
        parts: the result of each window, (b, c, l, h, w) for a window of l frames.

    Returns:
        (b, c, f, h, w) for a clip of f frames.
    """
    fused: Tensor | None = None
    for window, part in zip(windows, parts, strict=True):
        if len(windows) == 1:
            return part
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
