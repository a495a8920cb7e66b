"""What STR-Match asks of a text-to-video model."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from strmatch.loss import LayerMaps
from strmatch.settings import EditSettings


class Backbone(Protocol):
    """A frozen latent text-to-video diffusion model with factorised attention.

    Latents are (b, c, f, h, w) in at least float32; embeddings are (b, tokens, d).
    """

    scheduler: Any
    """A diffusers scheduler: its betas and `prediction_type` are the model's."""
    settings: EditSettings
    """The edit settings that suit the model."""
    revision: str
    """Names the weights: equal weights, equal revision."""

    def encode(self, frames: np.ndarray) -> Tensor:
        """Frames uint8 (f, H, W, 3) as scaled latents (1, c, f, h, w)."""
        ...

    def decode(self, latents: Tensor) -> np.ndarray:
        """Scaled latents (1, c, f, h, w) as frames uint8 (f, H, W, 3)."""
        ...

    def pixel_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in pixels of latents of the given height and width."""
        ...

    def embed(self, prompt: str) -> Tensor:
        """The text condition (1, tokens, d) of a prompt; "" is the null prompt."""
        ...

    def epsilon(self, latents: Tensor, timestep: int, embeddings: Tensor) -> Tensor:
        """ε (b, c, f, h, w) for latents (b, c, f, h, w) and embeddings (b, tokens, d)."""
        ...

    def attention_maps(
        self,
        latents: Tensor,
        timestep: int,
        embedding: Tensor,
        levels: Sequence[int] | None,
        temporal: str = "first",
    ) -> list[LayerMaps]:
        """Maps of every block at `levels` (0 the finest; None: all but the finest), level by level.

        Args:
            latents: (1, c, f, h, w). Gradients flow back to them.
            embedding: (1, tokens, d).
            temporal: "first", "second" or "mean": of two temporal attentions of a block.
        """
        ...
