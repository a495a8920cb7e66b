"""Exaggerated artefacts of an autoencoder: blur, lost detail, noise and a colour shift."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def corrupt(
    frames: Tensor,
    seed: int = 0,
    blur: float = 0.7,
    quantisation: float = 12.0,
    noise: float = 5.0,
    shift: float = 8.0,
) -> Tensor:
    """Corrupt clips, uint8 (b, f, H, W, 3), to about 27 dB. Lengths in pixels, levels 0 to 255."""
    generator = torch.Generator().manual_seed(seed)
    images = frames.float().permute(0, 1, 4, 2, 3).flatten(0, 1)
    images = _quantise(_blur(images, blur), quantisation)
    shifts = shift * (2 * torch.rand(len(frames), 3, generator=generator) - 1)
    images = images + shifts.repeat_interleave(frames.shape[1], dim=0)[..., None, None]
    images = images + noise * torch.randn(images.shape, generator=generator)
    images = images.clamp(0, 255).round().to(torch.uint8)
    return images.unflatten(0, frames.shape[:2]).permute(0, 1, 3, 4, 2)


def _blur(images: Tensor, sigma: float) -> Tensor:
    line = torch.exp(-(torch.arange(-2.0, 3.0) ** 2) / (2 * sigma**2))
    kernel = (line[:, None] * line / line.sum() ** 2).expand(3, 1, 5, 5)
    return F.conv2d(F.pad(images, (2, 2, 2, 2), mode="replicate"), kernel, groups=3)


def _quantise(images: Tensor, step: float) -> Tensor:
    """Quantise the cosine coefficients of 8 × 8 blocks, high frequencies more, as in JPEG."""
    index = torch.arange(8.0)
    cosines = torch.cos(math.pi * (2 * index + 1) * index[:, None] / 16) / 2
    cosines[0] /= math.sqrt(2)
    steps = step * (1 + (index + index[:, None]) / 4)
    blocks = images.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)
    rounded = (cosines @ blocks @ cosines.T / steps).round() * steps
    blocks = cosines.T @ rounded @ cosines
    return blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3)
