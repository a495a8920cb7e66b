"""The mask of Eq. 6: where an edit may change the latents."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from strmatch.backbones.base import Backbone


def mask_tensor(backbone: Backbone, mask: np.ndarray, latents: Tensor) -> Tensor:
    """A user's mask bool (f, H, W) beside the latents (1, c, f, h, w) of its clip.

    Raises:
        ValueError: it does not have the clip's frames and size.
    """
    mask = np.asarray(mask)
    frames, (height, width) = latents.shape[2], latents.shape[3:]
    size = (frames, *backbone.pixel_size(height, width))
    if mask.shape != size or mask.dtype != np.bool_:
        raise ValueError(
            f"mask must be bool (f, H, W) = {size} like the clip, got {mask.dtype} {mask.shape}"
        )
    return torch.from_numpy(mask).to(latents.device)


def latent_mask(mask: Tensor, height: int, width: int, dilation: int = 3) -> Tensor:
    """A pixel mask as dilate(M) of Eq. 6.

    A latent position is editable if any pixel it covers is, or if it lies within a square of
    side `dilation` around such a position, frame by frame.

    Args:
        mask: bool (f, H, W), True where editing is wanted.
        height, width: size of the latents.
        dilation: odd; 1 dilates nothing.

    Returns:
        bool (1, 1, f, height, width).
    """
    covered = F.adaptive_max_pool2d(mask[:, None].float(), (height, width))
    dilated = F.max_pool2d(covered, dilation, stride=1, padding=dilation // 2)
    return (dilated > 0).transpose(0, 1)[None]


def blend(edited: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """Eq. 6: `edited` inside the mask; outside exactly `source`. All (b, c, f, h, w)."""
    return torch.where(mask, edited, source)
