"""Initial latents of an edit with a share of fresh noise, to release the colours of the source."""

import torch
import torch.nn.functional as F
from torch import Tensor

from strmatch.sampling.schedule import noise_like

SIGMA = 1.0
"""Standard deviation in latent pixels of the Gaussian low-pass filter."""
RADIUS = 2
"""Truncation radius of the Gaussian in latent pixels."""
SEED = 1  # differs from the seed of the noise in `solver.invert`


def freshen(latents: Tensor, share: float) -> Tensor:
    """Replace part of the noisiest latents by fresh noise, which is the same for every clip.

    The noisiest latents of an inversion retain the colours of the source. Low spatial frequencies
    of the initial noise determine colours and large shapes (Wu et al. 2023, FreeInit, arXiv
    2312.07537). Low frequencies are replaced completely, high frequencies by the given share.

    Args:
        latents: (b, c, f, h, w) of the noisiest level.
        share: share of the variance of the high frequencies that is fresh, 0 to 1.

    Returns:
        (b, c, f, h, w), distributed as `latents` if those are unit noise.
    """
    noise = noise_like(latents, SEED)
    kept = 1 - share
    mixed = kept**0.5 * latents + (1 - kept) ** 0.5 * noise
    return mixed + _blurred(noise - mixed)


def _blurred(latents: Tensor) -> Tensor:
    """Gaussian low-pass filter of each frame and channel of (b, c, f, h, w)."""
    offsets = torch.arange(-RADIUS, RADIUS + 1).to(latents)
    weights = torch.softmax(-(offsets**2) / (2 * SIGMA**2), 0)
    kernel = (weights[:, None] * weights)[None, None]
    images = latents.flatten(0, 2)[:, None]
    padded = F.pad(images, [RADIUS] * 4, mode="reflect")
    return F.conv2d(padded, kernel).view_as(latents)
