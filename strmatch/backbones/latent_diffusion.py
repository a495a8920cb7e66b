"""What backbones have in common, whatever their denoiser: from frames and prompts to tensors."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from strmatch.backbones.autoencoders import Autoencoder
from strmatch.backbones.texts import Text, token_positions, unread
from strmatch.finite import check_finite
from strmatch.inputs import check_frames
from strmatch.settings import EditSettings


class LatentDiffusion(ABC):
    """The part of the `Backbone` protocol around the denoiser: autoencoder, text encoder and noise.

    Args:
        model: the denoiser, whose device is that of all tensors.
        autoencoder: of frames or videos.
        text_encoder, tokenizer: of transformers.
        text: how the text encoder reads prompts.
        scheduler: of diffusers.
        settings: default edit settings of the model.
        revision: identifier of the weights.
        num_frames: number of frames of a clip that the model was trained on.
    """

    def __init__(
        self,
        model: nn.Module,
        autoencoder: Autoencoder,
        text_encoder: nn.Module,
        tokenizer: Any,
        text: Text,
        scheduler: Any,
        settings: EditSettings,
        revision: str,
        num_frames: int,
    ) -> None:
        self._model: Any = model.eval().requires_grad_(False)
        self._autoencoder = autoencoder
        self.vae: Any = autoencoder.vae.eval().requires_grad_(False)
        self.text_encoder: Any = text_encoder.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self._text = text
        self.scheduler = scheduler
        self.settings = settings
        self.revision = revision
        self.num_frames = self.latent_frames(num_frames)

    @property
    def device(self) -> torch.device:
        return next(self._model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self._model.parameters()).dtype

    def latent_frames(self, num_frames: int) -> int:
        """Number of latent frames of a clip."""
        return 1 + -(-(num_frames - 1) // self._autoencoder.rate)

    def clip_frames(self, latent_frames: int) -> int:
        """See `Backbone.clip_frames`."""
        return 1 + (latent_frames - 1) * self._autoencoder.rate

    def pixel_size(self, height: int, width: int) -> tuple[int, int]:
        """See `Backbone.pixel_size`."""
        factor = self._autoencoder.factor
        return height * factor, width * factor

    @torch.no_grad()
    def encode(self, frames: np.ndarray) -> Tensor:
        """See `Backbone.encode`. The latents are the mean of the posterior.

        The last frame is repeated to fill the last latent frame.

        Raises:
            ValueError: the frames are not uint8 (f, H, W, 3), are empty, or H or W is not a
                multiple of the pixels of a latent, or of a token of a transformer.
            NotFinite: a latent is NaN or infinite.
        """
        frames = check_frames(frames, self._multiple)
        missing = self.clip_frames(self.latent_frames(len(frames))) - len(frames)
        if missing:
            frames = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
        latents = self._autoencoder.encode(np.ascontiguousarray(frames))
        check_finite("latents of the clip", latents)
        return latents.contiguous().to(self._latents_dtype)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> np.ndarray:
        """See `Backbone.decode`. Frames that fill the last latent frame are at the end.

        Raises:
            NotFinite: a latent or a decoded pixel is NaN or infinite.
        """
        check_finite("latents to decode", latents)
        return self._autoencoder.decode(latents)

    @torch.no_grad()
    def embed(self, prompt: str) -> Tensor:
        """See `Backbone.embed`. A text encoder elsewhere is on the denoiser's device meanwhile."""
        home = next(self.text_encoder.parameters()).device
        if home == self.device:
            return self._embed(prompt)
        self.text_encoder.to(self.device)
        try:
            return self._embed(prompt)
        finally:
            self.text_encoder.to(home)

    def _embed(self, prompt: str) -> Tensor:
        hidden = self._text.encode(self.tokenizer, self.text_encoder, prompt, self.device)
        return hidden.to(self.dtype)

    def token_positions(self, prompt: str, start: int, end: int) -> slice:
        """See `Backbone.token_positions`."""
        return token_positions(self.tokenizer, self._text, prompt, start, end)

    def unread(self, prompt: str) -> str | None:
        """Return the end of a prompt that is beyond the text encoder's length, or None.

        `embed` drops this end. CLIP's text encoder reads 75 tokens between its marks of begin and
        end.
        """
        return unread(self.tokenizer, prompt, self._text.words)

    def noise(self, num_frames: int, seed: int) -> Tensor:
        """Standard normal latents (1, c, f′, h, w) of the training size, equal on all devices."""
        size, frames = self._latent_size(), self.latent_frames(num_frames)
        shape = (1, self._model.config.in_channels, frames, *size)
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(shape, generator=generator, dtype=self._latents_dtype).to(self.device)

    @abstractmethod
    def _latent_size(self) -> tuple[int, int]:
        """Height and width of the latents of training."""

    @property
    def _multiple(self) -> int:
        """Pixels of which the height and width of a clip must be multiples."""
        return self._autoencoder.factor

    @property
    def _latents_dtype(self) -> torch.dtype:
        return torch.promote_types(self.dtype, torch.float32)
