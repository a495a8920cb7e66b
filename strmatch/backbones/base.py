"""What STR-Match, and what it is compared with, asks of a text-to-video model."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from strmatch.attention import LayerMaps, MapChoice
from strmatch.settings import EditSettings

SpatialExchange = Callable[[int, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""A level, and queries, keys and values (b·f, heads, n, d) of a spatial self-attention there, to
those that are taken in their place. Level 0 has the latents' size, each further one half of it,
rounded up; n = h·w in rows."""


class UNet(Protocol):
    """The denoiser of a `Backbone`: a torch module with factorised attention.

    `strmatch.backbones.lavie.LaVieUNet` is an example. Other packages add classes through the
    entry-point group `strmatch.backbone`, under the `_class_name` in the config.json of their
    weights. Such a class is a diffusers `ModelMixin`, so that `from_pretrained` loads it.
    """

    config: Any
    """With `in_channels` and `sample_size` (latent size of training), as diffusers stores it."""
    num_levels: int
    """Number of resolutions."""

    def __call__(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        lean: bool = False,
    ) -> Tensor:
        """Predict noise (or v), (b, c, f, h, w).

        Args:
            sample: (b, c, f, h, w); (1, c, f, h, w) is shared by all texts.
            encoder_hidden_states: text conditions, (b, tokens, d).
            lean: recompute activations in the backward pass: less memory, more time.
        """
        ...

    def attention_blocks(self, level: int) -> Mapping[str, Any]:
        """The transformer blocks of a resolution, 0 the finest, by name, in the order of execution.

        Each has a spatial self-attention `attn1`, and one over the frames, `attn_temp`; a second
        one over the frames is `attn_temp2`. Each of these calls `strmatch.attention.attend` with
        its attributes `probe` and `exchange`, which are None outside of a recording.
        """
        ...

    def space_time_modules(self) -> list[Any]:
        """The modules of the decoder whose outputs DMT compares.

        Raises:
            ValueError: the UNet has no such modules.
        """
        ...


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
    compiled: bool
    """Whether what runs in every step is compiled."""

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
        """ε (b, c, f, h, w) for latents (b, c, f, h, w) and embeddings (b, tokens, d).

        Latents (1, c, f, h, w) are shared by all embeddings.
        """
        ...

    def attention_maps(
        self,
        latents: Tensor,
        timestep: int,
        embedding: Tensor,
        choice: MapChoice,
        lean: bool = False,
    ) -> list[LayerMaps]:
        """Maps of every block at the chosen levels, level by level.

        The pass ends with the last of them.

        Args:
            latents: (1, c, f, h, w). Gradients flow back to them.
            embedding: (1, tokens, d).
            lean: keep little for the gradient and compute it again: less memory, more time.
        """
        ...

    def epsilon_and_maps(
        self,
        latents: Tensor,
        timestep: int,
        embedding: Tensor,
        choice: MapChoice,
    ) -> tuple[Tensor, list[LayerMaps]]:
        """What `epsilon` and `attention_maps` give, of one whole pass."""
        ...

    def averaged_features(self, latents: Tensor, timestep: int, embedding: Tensor) -> list[Tensor]:
        """Features of the decoder averaged over space, (f, c) each.

        They are those that DMT compares: see the UNet's `space_time_modules`. The pass ends with
        the last of them.

        Args:
            latents: (1, c, f, h, w). Gradients flow back to them.
            embedding: (1, tokens, d).
        """
        ...

    def exchange_spatial(self, exchange: SpatialExchange) -> AbstractContextManager[None]:
        """Passes inside the block let every spatial self-attention use what `exchange` returns."""
        ...
