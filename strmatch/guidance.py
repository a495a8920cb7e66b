"""Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.regions import in_front
from strmatch.sampling.fusion import FRAMES, fuse, of_window
from strmatch.sampling.windows import Window, find_windows


def guided_prediction(
    backbone: Backbone,
    latents: Tensor,
    timestep: float,
    unconditional: Tensor,
    target: Tensor,
    scale: float,
    windows: Sequence[Window] | None = None,
    masks: Tensor | None = None,
) -> Tensor:
    """Guided prediction p_u + scale · (p_c − p_u), (b, c, f, h, w), fused over a clip's windows.

    Needs no unconditional pass if both embeddings are one tensor or the scale is 1. With the masks
    of regions, p_c is blended from the regions' own, see `strmatch.regions`.

    Args:
        backbone: see `strmatch.load_backbone`.
        latents: (b, c, f, h, w).
        timestep: timestep label of the noise level.
        unconditional, target: (b, tokens, d).
        scale: guidance scale.
        windows: windows of the clips. None: the clips are single windows.
        masks: bool (regions, 1, f, h, w), dilated masks of the regions of a single clip. `target`
            then is (regions, tokens, d), and `unconditional` (1, tokens, d). None: no regions.
    """

    guides = scale != 1 and unconditional is not target
    texts = [unconditional, target] if guides else [target]
    num_frames = latents.shape[FRAMES]

    def guided(window: Window) -> Tensor:
        part = of_window(latents, window)
        if len(part) > 1:
            part = torch.cat([part] * len(texts))
        predictions = backbone.predict(part, timestep, torch.cat(texts))
        *free, conditional = predictions.split([len(text) for text in texts])
        if masks is not None:
            conditional = in_front(conditional, of_window(masks, window))
        return free[0] + scale * (conditional - free[0]) if guides else conditional

    windows = windows or find_windows(num_frames, num_frames)
    return fuse(windows, (guided(window) for window in windows))
