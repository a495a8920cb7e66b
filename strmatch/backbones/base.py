"""The interface of a text-to-video model required by STR-Match and the baselines."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from strmatch.attention import LayerMaps, MapChoice, Relevance
from strmatch.sampling.schedule import Schedule
from strmatch.settings import EditSettings

SpatialExchange = Callable[[int, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""Maps a UNet level and the queries, keys and values (b·f, heads, n, d) of a spatial self-attention
at that level to their replacements. Level 0 has the latents' size. Each further level has half the
size of the previous one, rounded up. n = h·w, row by row."""


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


@runtime_checkable
class Backbone(Protocol):
    """A frozen latent text-to-video diffusion model.

    Latents are (b, c, f, h, w) in at least float32; embeddings are (b, tokens, d).
    """

    settings: EditSettings
    """The edit settings that suit the model."""
    revision: str
    """Identifier of the weights. Equal weights have equal revisions."""
    compiled: bool
    """Whether the functions of every step are compiled."""
    num_frames: int
    """Number of latent frames that the model was trained on. Longer clips are processed in
    windows."""

    def encode(self, frames: np.ndarray) -> Tensor:
        """Encode frames, uint8 (f, H, W, 3), as scaled latents (1, c, f′, h, w).

        The clip fills f′ latent frames, see `clip_frames`, if its last frame is repeated.

        Raises:
            NotFinite: a latent is NaN or infinite.
        """
        ...

    def decode(self, latents: Tensor) -> np.ndarray:
        """Decode scaled latents (1, c, f, h, w) to frames, uint8 (`clip_frames(f)`, H, W, 3).

        Raises:
            NotFinite: a latent or a decoded pixel is NaN or infinite.
        """
        ...

    def pixel_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in pixels of latents of the given height and width."""
        ...

    def clip_frames(self, latent_frames: int) -> int:
        """Number of frames of a clip that fills `latent_frames`.

        Models that compress time have a latent frame for the first frame, and one for every few of
        the others.
        """
        ...

    def embed(self, prompt: str) -> Tensor:
        """Text condition (1, tokens, d) of a prompt. "" is the null prompt.

        The last position is padding, unless the prompt is as long as the text encoder can read.
        """
        ...

    def token_positions(self, prompt: str, start: int, end: int) -> slice:
        """Positions in `embed(prompt)` of the tokens of the whole words prompt[start:end]."""
        ...

    def schedule(self, num_inference_steps: int) -> Schedule:
        """The noise levels of a trajectory, and what `predict` predicts.

        Raises:
            ValueError: the model's scheduler is not supported.
        """
        ...

    def predict(self, latents: Tensor, timestep: float, embeddings: Tensor) -> Tensor:
        """The model's prediction (b, c, f, h, w), of the kind `schedule(…).prediction`.

        Args:
            latents: (b, c, f, h, w); (1, c, f, h, w) are shared by all embeddings.
            timestep: timestep label of the noise level.
            embeddings: (b, tokens, d).
        """
        ...

    def check_choice(self, choice: MapChoice) -> None:
        """Check that the model has the chosen attention maps.

        Raises:
            ValueError: the model has no attention at a chosen level, or lacks the chosen temporal
                attention.
        """
        ...

    def attention_maps(
        self,
        latents: Tensor,
        timestep: float,
        embedding: Tensor,
        choice: MapChoice,
        lean: bool = False,
    ) -> Sequence[LayerMaps | Relevance]:
        """Attention maps of every block at the chosen levels, ordered by level.

        The pass ends after the last map.

        Args:
            latents: (1, c, f, h, w). The maps are differentiable in them.
            timestep: timestep label of the noise level.
            embedding: (1, tokens, d).
            choice: selection of the maps.
            lean: recompute activations in the backward pass (gradient checkpointing).
        """
        ...

    def predict_with_maps(
        self,
        latents: Tensor,
        timestep: float,
        embedding: Tensor,
        choice: MapChoice,
    ) -> tuple[Tensor, Sequence[LayerMaps | Relevance]]:
        """Results of `predict` and `attention_maps` from one complete pass."""
        ...


@runtime_checkable
class UNetBackbone(Backbone, Protocol):
    """A backbone whose denoiser is a UNet with factorised attention, as DMT and UniEdit need."""

    def averaged_features(
        self, latents: Tensor, timestep: float, embedding: Tensor
    ) -> list[Tensor]:
        """Features of the decoder averaged over space, (f, c) each.

        The features are those compared by DMT, see the UNet's `space_time_modules`. The UNet pass
        ends after the last feature.

        Args:
            latents: (1, c, f, h, w). The features are differentiable in them.
            timestep: timestep label of the noise level.
            embedding: (1, tokens, d).
        """
        ...

    def exchange_spatial(self, exchange: SpatialExchange) -> AbstractContextManager[None]:
        """Apply `exchange` to every spatial self-attention of the passes inside the block."""
        ...
