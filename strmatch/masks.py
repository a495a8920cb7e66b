"""The mask of Eq. 6 of arXiv 2506.22868, which limits an edit to a region of the latents."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from strmatch.backbones.base import Backbone


def mask_tensor(
    backbone: Backbone, mask: np.ndarray, latents: Tensor, name: str = "mask"
) -> Tensor:
    """Convert a mask to a tensor on the device of the latents.

    Args:
        backbone: gives the pixel size of the latents.
        mask: bool (f, H, W).
        latents: (1, c, f, h, w) of the clip.
        name: name of the mask, for messages.

    Returns:
        bool (f, H, W). Like the clip, it fills the last latent frame with its last frame.

    Raises:
        ValueError: the mask does not match the clip's frames and size.
    """
    mask = np.asarray(mask)
    latent_frames, height, width = latents.shape[2:]
    most = backbone.clip_frames(latent_frames)
    least = backbone.clip_frames(latent_frames - 1) + 1 if latent_frames > 1 else 1
    size = (most, *backbone.pixel_size(height, width))
    fits = mask.ndim == 3 and least <= len(mask) <= most and mask.shape[1:] == size[1:]
    if not fits or mask.dtype != np.bool_:
        raise ValueError(
            f"{name} must be bool (f, H, W) = {size} like the clip, got {mask.dtype} {mask.shape}"
        )
    filled = np.concatenate([mask, np.repeat(mask[-1:], most - len(mask), axis=0)])
    return torch.from_numpy(filled).to(latents.device)


def latent_mask(
    mask: Tensor, height: int, width: int, dilation: int = 3, frames: int | None = None
) -> Tensor:
    """dilate(M) of Eq. 6 from a mask in pixels.

    A latent position is editable if any pixel it covers is editable, or if it lies within a square
    of side `dilation` around such a position. Frames are independent, unless a latent frame covers
    several: the first frame has a latent frame of its own, and the others are shared out evenly.

    Args:
        mask: bool (f, H, W), True where editing is allowed.
        height, width: size of the latents.
        dilation: side of the square in latent pixels, odd. 1 disables.
        frames: number f′ of latent frames. None: that of the mask.

    Returns:
        bool (1, 1, f′, height, width).
    """
    if frames is not None and frames < len(mask):
        shared = mask[1:].unflatten(0, (frames - 1, -1)).any(dim=1)
        mask = torch.cat([mask[:1], shared])
    covered = F.adaptive_max_pool2d(mask[:, None].float(), (height, width))
    dilated = F.max_pool2d(covered, dilation, stride=1, padding=dilation // 2)
    return (dilated > 0).transpose(0, 1)[None]


def blend(edited: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """Eq. 6: `edited` inside the mask, exactly `source` outside. All (b, c, f, h, w)."""
    return torch.where(mask, edited, source)
