"""Where an edit begins: at the noisiest latents of the inversion, or at fresher ones."""

import torch
import torch.nn.functional as F
from torch import Tensor

from strmatch.ddim import add_noise, noise_like

SIGMA = 1.0
"""Of the Gaussian that tells a latent's colour from its outlines, in latent pixels."""
RADIUS = 2
"""Where that Gaussian ends, in latent pixels."""
SEED = 1  # not that of the noise that an inversion may begin with


def freshen(latents: Tensor, share: float) -> Tensor:
    """Fresh noise, the same for every clip, in place of some of what an inversion left.

    What lies at the noisiest level where a source's figures lie still holds on to their colours. In
    the initial noise low spatial frequencies decide on colours and large forms (Wu et al. 2023,
    FreeInit): they become noise altogether, and the rest in part.

    Args:
        latents: (b, c, f, h, w) of the noisiest level.
        share: of the variance above the low frequencies that is fresh, 0 to 1.

    Returns:
        (b, c, f, h, w): in distribution what `latents` are, if those are unit noise.
    """
    noise = noise_like(latents, SEED)
    mixed = add_noise(latents, noise, 1 - share)
    return mixed + _blurred(noise - mixed)


def _blurred(latents: Tensor) -> Tensor:
    """(b, c, f, h, w), each frame and channel on its own."""
    offsets = torch.arange(-RADIUS, RADIUS + 1).to(latents)
    weights = torch.softmax(-(offsets**2) / (2 * SIGMA**2), 0)
    kernel = (weights[:, None] * weights)[None, None]
    images = latents.flatten(0, 2)[:, None]
    padded = F.pad(images, [RADIUS] * 4, mode="reflect")
    return F.conv2d(padded, kernel).view_as(latents)
