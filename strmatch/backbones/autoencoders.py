"""Autoencoders of video transformers, called in one way.

Video autoencoders compress time: the first frame is a latent frame of its own, each further latent
frame holds four frames. They work in tiles of space and time, which bounds memory.
"""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

FRAMES_AT_ONCE = 4
"""Frames per call of an autoencoder of images, which bounds memory."""


class Autoencoder(Protocol):
    """Maps clips (1, 3, f, H, W), from -1 to 1, to latents (1, c, f′, h, w) and back."""

    vae: Any
    """The model of diffusers."""

    @property
    def factor(self) -> int:
        """Pixels of a side of a latent."""
        ...

    @property
    def rate(self) -> int:
        """Frames of each latent frame but the first, which holds one."""
        ...

    def encode(self, clip: Tensor) -> Tensor:
        """Scaled latents, the mean of the posterior. f is 1 + a multiple of `rate`."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """The clip of scaled latents."""
        ...


class FrameAutoencoder:
    """`AutoencoderKL`, an autoencoder of images, frame by frame."""

    rate = 1

    def __init__(self, vae: Any) -> None:
        self.vae = vae

    @property
    def factor(self) -> int:
        """See `Autoencoder.factor`."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def encode(self, clip: Tensor) -> Tensor:
        """See `Autoencoder.encode`."""
        images = clip[0].transpose(0, 1).split(FRAMES_AT_ONCE)
        means = torch.cat([self.vae.encode(image).latent_dist.mean for image in images])
        return (means * self.vae.config.scaling_factor).transpose(0, 1)[None]

    def decode(self, latents: Tensor) -> Tensor:
        """See `Autoencoder.decode`."""
        frames = (latents[0] / self.vae.config.scaling_factor).transpose(0, 1)
        images = [self.vae.decode(part).sample for part in frames.split(FRAMES_AT_ONCE)]
        return torch.cat(images).transpose(0, 1)[None]


class WanAutoencoder:
    """`AutoencoderKLWan`, whose latents are standardised by channel."""

    def __init__(self, vae: Any) -> None:
        self.vae = vae
        vae.enable_tiling()

    @property
    def factor(self) -> int:
        """See `Autoencoder.factor`."""
        return int(self.vae.config.scale_factor_spatial)

    @property
    def rate(self) -> int:
        """See `Autoencoder.rate`."""
        return int(self.vae.config.scale_factor_temporal)

    def encode(self, clip: Tensor) -> Tensor:
        """See `Autoencoder.encode`."""
        latents: Tensor = self.vae.encode(clip).latent_dist.mean
        return (latents - self._by_channel("latents_mean", latents)) / self._by_channel(
            "latents_std", latents
        )

    def decode(self, latents: Tensor) -> Tensor:
        """See `Autoencoder.decode`."""
        scale = self._by_channel("latents_std", latents)
        clip: Tensor = self.vae.decode(
            latents * scale + self._by_channel("latents_mean", latents)
        ).sample
        return clip

    def _by_channel(self, name: str, latents: Tensor) -> Tensor:
        values = torch.tensor(self.vae.config[name], dtype=latents.dtype, device=latents.device)
        return values[:, None, None, None]


class CogVideoXAutoencoder:
    """`AutoencoderKLCogVideoX`, whose latents have one scale."""

    def __init__(self, vae: Any) -> None:
        self.vae = vae
        vae.enable_tiling()

    @property
    def factor(self) -> int:
        """See `Autoencoder.factor`."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def rate(self) -> int:
        """See `Autoencoder.rate`."""
        return int(self.vae.config.temporal_compression_ratio)

    def encode(self, clip: Tensor) -> Tensor:
        """See `Autoencoder.encode`."""
        latents: Tensor = self.vae.encode(clip).latent_dist.mean
        return latents * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """See `Autoencoder.decode`."""
        clip: Tensor = self.vae.decode(latents / self.vae.config.scaling_factor).sample
        return clip


AUTOENCODERS: dict[str, Any] = {
    "AutoencoderKL": FrameAutoencoder,
    "AutoencoderKLWan": WanAutoencoder,
    "AutoencoderKLCogVideoX": CogVideoXAutoencoder,
}
"""Interfaces by the class in diffusers."""


def make_autoencoder(vae: nn.Module) -> Autoencoder:
    """The interface of an autoencoder of diffusers.

    Raises:
        ValueError: the autoencoder is of an unknown class.
    """
    name = type(vae).__name__
    if name not in AUTOENCODERS:
        raise ValueError(f"the autoencoder must be one of {', '.join(AUTOENCODERS)}, got {name}")
    autoencoder: Autoencoder = AUTOENCODERS[name](vae)
    return autoencoder
