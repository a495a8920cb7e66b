"""Autoencoders of diffusers, called in one way.

Autoencoders of images encode every frame on its own. Autoencoders of videos compress time: the
first frame is a latent frame of its own, each further latent frame holds four frames. These work in
tiles of space and time, which bounds memory.
"""

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from strmatch.finite import check_finite
from strmatch.inputs import to_pixels, to_unit_range

FRAMES_AT_ONCE = 4
"""Frames per call of an autoencoder of images, which bounds memory."""


class Autoencoder(Protocol):
    """Maps frames, uint8 (f, H, W, 3), to scaled latents (1, c, f′, h, w) and back."""

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

    def encode(self, frames: np.ndarray) -> Tensor:
        """Scaled latents, the mean of the posterior. f is 1 + a multiple of `rate`."""
        ...

    def decode(self, latents: Tensor) -> np.ndarray:
        """The frames of scaled latents.

        Raises:
            NotFinite: a decoded pixel is NaN or infinite.
        """
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

    def encode(self, frames: np.ndarray) -> Tensor:
        """See `Autoencoder.encode`."""
        chunks = torch.from_numpy(frames).split(FRAMES_AT_ONCE)
        images = (_images(chunk, self.vae) for chunk in chunks)
        means = torch.cat([self.vae.encode(image).latent_dist.mean for image in images])
        return (means * self.vae.config.scaling_factor).transpose(0, 1)[None]

    def decode(self, latents: Tensor) -> np.ndarray:
        """See `Autoencoder.decode`."""
        images = (latents[0] / self.vae.config.scaling_factor).transpose(0, 1).to(self.vae.dtype)
        chunks = images.split(FRAMES_AT_ONCE)
        return np.concatenate([_frames(self.vae.decode(chunk).sample) for chunk in chunks])


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

    def encode(self, frames: np.ndarray) -> Tensor:
        """See `Autoencoder.encode`."""
        latents = _encode_clip(self.vae, frames)
        mean, std = self._statistics(latents)
        return (latents - mean) / std

    def decode(self, latents: Tensor) -> np.ndarray:
        """See `Autoencoder.decode`."""
        latents = latents.to(self.vae.dtype)
        mean, std = self._statistics(latents)
        return _decode_clip(self.vae, latents * std + mean)

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel of unscaled latents, (c, 1, 1, 1)."""
        config = self.vae.config
        mean, std = (
            torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None, None]
            for values in (config["latents_mean"], config["latents_std"])
        )
        return mean, std


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

    def encode(self, frames: np.ndarray) -> Tensor:
        """See `Autoencoder.encode`."""
        return _encode_clip(self.vae, frames) * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> np.ndarray:
        """See `Autoencoder.decode`."""
        latents = latents.to(self.vae.dtype)
        return _decode_clip(self.vae, latents / self.vae.config.scaling_factor)


def _encode_clip(vae: Any, frames: np.ndarray) -> Tensor:
    """Latents (1, c, f′, h, w) of an autoencoder of videos, the mean of the posterior."""
    clip = _images(torch.from_numpy(frames), vae).transpose(0, 1)[None]
    latents: Tensor = vae.encode(clip).latent_dist.mean
    return latents


def _decode_clip(vae: Any, latents: Tensor) -> np.ndarray:
    """Frames of an autoencoder of videos."""
    return _frames(vae.decode(latents).sample[0].transpose(0, 1))


def _images(frames: Tensor, vae: Any) -> Tensor:
    """Frames uint8 (n, H, W, 3) as (n, 3, H, W) from -1 to 1, on the device of the model."""
    return to_unit_range(frames.to(vae.device)).to(vae.dtype)


def _frames(images: Tensor) -> np.ndarray:
    """Decoded images (n, 3, H, W) as frames uint8 (n, H, W, 3).

    Raises:
        NotFinite: a pixel is NaN or infinite.
    """
    check_finite("decoded frames", images)
    return to_pixels(images).cpu().numpy()


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
