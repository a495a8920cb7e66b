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
        bool (f, H, W).

    Raises:
        ValueError: the mask does not match the clip's frames and size.
    """
    mask = np.asarray(mask)
    frames, (height, width) = latents.shape[2], latents.shape[3:]
    size = (frames, *backbone.pixel_size(height, width))
    if mask.shape != size or mask.dtype != np.bool_:
        raise ValueError(
            f"{name} must be bool (f, H, W) = {size} like the clip, got {mask.dtype} {mask.shape}"
        )
    return torch.from_numpy(mask).to(latents.device)


def latent_mask(mask: Tensor, height: int, width: int, dilation: int = 3) -> Tensor:
    """dilate(M) of Eq. 6 from a mask in pixels.

    A latent position is editable if any pixel it covers is editable, or if it lies within a square
    of side `dilation` around such a position. Frames are independent.

    Args:
        mask: bool (f, H, W), True where editing is allowed.
        height, width: size of the latents.
        dilation: side of the square in latent pixels, odd. 1 disables.

    Returns:
        bool (1, 1, f, height, width).
    """
    covered = F.adaptive_max_pool2d(mask[:, None].float(), (height, width))
    dilated = F.max_pool2d(covered, dilation, stride=1, padding=dilation // 2)
    return (dilated > 0).transpose(0, 1)[None]


def blend(edited: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """Eq. 6: `edited` inside the mask, exactly `source` outside. All (b, c, f, h, w)."""
    return torch.where(mask, edited, source)
