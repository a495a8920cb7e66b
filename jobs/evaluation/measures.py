"""Distances of a clip from its truth. Frames are uint8 (f, H, W, 3), masks bool (f, H, W)."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from strmatch.masks import latent_mask

MARGIN = 4  # pixels around the dilated mask that count as neither subject nor background


def psnr(frames: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> float:
    """Returns the peak signal-to-noise ratio in dB over the clip, or over its pixels in `where`.

    Infinite for equal clips, NaN without pixels.
    """
    squared = (frames.astype(np.float64) - truth) ** 2
    values = squared if where is None else squared[where]
    if not values.size:
        return math.nan
    error = float(values.mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def centroid_error(track: Tensor, truth: Tensor) -> float:
    """Returns the median distance in pixels of two tracks (f, 2) over frames with both subjects.

    Infinite if at most half of the frames have both.
    """
    distance = (track - truth).norm(dim=-1)
    seen = distance[~distance.isnan()]
    return float(seen.median()) if 2 * len(seen) > len(distance) else math.inf


def iou(mask: Tensor, truth: Tensor) -> float:
    """Returns the mean intersection over union of frames, 0 for frames without a subject."""
    both = (mask & truth).sum(dim=(-2, -1))
    either = (mask | truth).sum(dim=(-2, -1)).clamp(min=1)
    return float((both / either).mean())


def background(mask: np.ndarray, latent_size: tuple[int, int], dilation: int) -> np.ndarray:
    """Returns bool (f, H, W): pixels at least `MARGIN` from the region an edit may change."""
    height, width = mask.shape[1:]
    editable = latent_mask(torch.from_numpy(mask), *latent_size, dilation)[0, 0]
    pixels = F.interpolate(editable[:, None].float(), size=(height, width), mode="nearest")
    grown = F.max_pool2d(pixels, 2 * MARGIN - 1, stride=1, padding=MARGIN - 1)
    return grown[:, 0].numpy() == 0
