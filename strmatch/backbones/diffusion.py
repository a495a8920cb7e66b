"""A backbone built from a text-to-video model in diffusers format."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from strmatch.attention import (
    JointChoice,
    LayerMaps,
    MapChoice,
    exchange_attention,
    record_attention,
)
from strmatch.backbones import compilation
from strmatch.backbones.autoencoders import FrameAutoencoder
from strmatch.backbones.base import SpatialExchange
from strmatch.backbones.factorised import temporal_attention
from strmatch.backbones.features import record_averages
from strmatch.backbones.latent_diffusion import LatentDiffusion
from strmatch.backbones.texts import TEXTS
from strmatch.sampling.schedule import Schedule, to_epsilon
from strmatch.settings import EditSettings

CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
"""Memory layout of convolution weights by number of dimensions, which saves compiled convolutions a
copy of the weights in every call."""


class VideoDiffusion(LatentDiffusion):
    """UNet, autoencoder, text encoder, tokenizer and scheduler behind the `Backbone` protocol.

    Args:
        unet: called as unet(sample (b, c, f, h, w), timestep, text (b, tokens, d)), with the
            attributes `attention_blocks(level)`, `num_levels` and `space_time_modules()` of
            `LaVieUNet`. A sample (1, …) is shared by all texts. lean=True enables gradient
            checkpointing.
        vae: an AutoencoderKL.
        text_encoder: a CLIPTextModel.
        tokenizer: a CLIPTokenizer.
        scheduler: a DDIMScheduler.
        settings: default edit settings of the model.
        revision: identifier of the weights.
        num_frames: number of frames that the model was trained on.
        compiled: compile the passes of the UNet with `torch.compile`. The first pass of each kind
            and clip shape takes one to two minutes. Later passes are faster than uncompiled ones.
    """

    def __init__(
        self,
        unet: nn.Module,
        vae: nn.Module,
        text_encoder: nn.Module,
        tokenizer: Any,
        scheduler: Any,
        settings: EditSettings,
        revision: str = "unversioned",
        num_frames: int = 16,
        compiled: bool = False,
    ) -> None:
        super().__init__(
            unet,
            FrameAutoencoder(vae),
            text_encoder,
            tokenizer,
            TEXTS["CLIPTextModel"],
            scheduler,
            settings,
            revision,
            num_frames,
        )
        self.unet: Any = unet
        self.compiled = compiled
        self._compiled_pass = compilation.compiled(self._pass) if compiled else self._pass
        if compiled:
            for weight in self.unet.parameters():
                if weight.ndim in CHANNELS_LAST:
                    weight.data = weight.contiguous(memory_format=CHANNELS_LAST[weight.ndim])

    @property
    def text_width(self) -> int:
        """Channels of the text conditions that the UNet takes."""
        return int(self.unet.config.cross_attention_dim)

    def schedule(self, num_inference_steps: int) -> Schedule:
        """See `Backbone.schedule`. `predict` converts v to ε."""
        levels = Schedule.from_scheduler(self.scheduler, num_inference_steps)
        return replace(levels, prediction="epsilon")

    def predict(self, latents: Tensor, timestep: float, embeddings: Tensor) -> Tensor:
        """See `Backbone.predict`. Returns ε."""
        output, _ = self._run(latents, timestep, embeddings)
        return self._to_epsilon(output, latents, timestep)

    def check_choice(self, choice: MapChoice) -> None:
        """See `Backbone.check_choice`."""
        _probed(self._blocks(choice), choice.temporal)

    def attention_maps(
        self,
        latents: Tensor,
        timestep: float,
        embedding: Tensor,
        choice: MapChoice,
        lean: bool = False,
    ) -> list[LayerMaps]:
        """See `Backbone.attention_maps`. Raises the errors of `check_choice`."""
        _, maps = self._run(latents, timestep, embedding, choice, leave=True, lean=lean)
        return maps

    def predict_with_maps(
        self,
        latents: Tensor,
        timestep: float,
        embedding: Tensor,
        choice: MapChoice,
    ) -> tuple[Tensor, list[LayerMaps]]:
        """See `Backbone.predict_with_maps`. Raises the errors of `check_choice`."""
        output, maps = self._run(latents, timestep, embedding, choice)
        return self._to_epsilon(output, latents, timestep), maps

    def averaged_features(
        self, latents: Tensor, timestep: float, embedding: Tensor
    ) -> list[Tensor]:
        """See `Backbone.averaged_features`.

        Raises:
            ValueError: the UNet has only one level.
        """
        with record_averages(self.unet.space_time_modules()) as averages:
            self.unet(latents.to(self.dtype), timestep, embedding)
        return [average.to(latents.dtype) for average in averages]

    @contextmanager
    def exchange_spatial(self, exchange: SpatialExchange) -> Iterator[None]:
        """See `Backbone.exchange_spatial`. Passes inside the block run uncompiled."""
        exchanges = [
            (block.attn1, partial(exchange, level))
            for level in range(self.unet.num_levels)
            for block in self.unet.attention_blocks(level).values()
        ]
        compiled, self.compiled = self.compiled, False
        try:
            with exchange_attention(exchanges):
                yield
        finally:
            self.compiled = compiled

    def _run(self, latents: Tensor, timestep: float, *inputs: Any, **options: Any) -> Any:
        """Run `_pass`, compiled if enabled. Lean passes run uncompiled."""
        # A tensor label serves all timesteps with one compilation. Creation on the device avoids a
        # synchronisation.
        label = torch.full((), timestep, device=self.device)
        fast = self.compiled and not options.get("lean")
        return (self._compiled_pass if fast else self._pass)(latents, label, *inputs, **options)

    def _pass(
        self,
        latents: Tensor,
        label: Tensor,
        embeddings: Tensor,
        choice: MapChoice | None = None,
        leave: bool = False,
        lean: bool = False,
    ) -> tuple[Any, list[LayerMaps]]:
        """The UNet's output (None if `leave` ends the pass early) and the chosen maps."""
        blocks = {} if choice is None else self._blocks(choice)
        probed = {} if choice is None else _probed(blocks, choice.temporal)
        mean_heads = choice is not None and choice.mean_heads
        output = None
        with record_attention(probed, leave=leave, mean_heads=mean_heads) as maps:
            output = self.unet(latents.to(self.dtype), label, embeddings, lean=lean)
        return output, _by_layer(maps, blocks, latents.dtype)

    def _to_epsilon(self, output: Tensor, latents: Tensor, timestep: float) -> Tensor:
        alpha = float(self.scheduler.alphas_cumprod[int(timestep)])
        prediction = self.scheduler.config.prediction_type
        return to_epsilon(output.to(latents.dtype), latents, alpha, prediction)

    def _blocks(self, choice: MapChoice) -> dict[str, Any]:
        if choice.joint != JointChoice():
            raise ValueError(
                "slices, temporal_neighbourhood and heads 'separated' are for models with joint "
                "attention over space and time: the UNet's is factorised"
            )
        levels = choice.levels
        if levels is None:
            coarser = range(1, self.unet.num_levels)
            levels = tuple(level for level in coarser if self.unet.attention_blocks(level))
        blocks: dict[str, Any] = {}
        for level in levels:
            found = self.unet.attention_blocks(level)
            if not found:
                raise ValueError(f"scored_levels: the UNet has no attention at level {level}")
            blocks |= found
        return blocks

    def _latent_size(self) -> tuple[int, int]:
        height, width = np.broadcast_to(self.unet.config.sample_size, 2).tolist()
        return height, width


def _probed(blocks: Mapping[str, Any], temporal: str) -> dict[str, Any]:
    """Attention modules of the transformer blocks to be probed, by name."""
    probed = {name: block.attn1 for name, block in blocks.items()}
    for name, block in blocks.items():
        probed[f"{name}.temporal"] = temporal_attention(block, temporal)
    return probed


def _by_layer(
    maps: Mapping[str, Tensor], blocks: Iterable[str], dtype: torch.dtype
) -> list[LayerMaps]:
    return [LayerMaps(maps[name].to(dtype), maps[f"{name}.temporal"].to(dtype)) for name in blocks]
