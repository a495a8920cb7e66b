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
from strmatch.backbones.base import SpatialExchange
from strmatch.backbones.factorised import temporal_attention
from strmatch.backbones.features import record_averages
from strmatch.finite import check_finite
from strmatch.inputs import check_frames, to_pixels, to_unit_range, tokenize
from strmatch.sampling.schedule import Schedule, to_epsilon
from strmatch.settings import EditSettings

CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
"""Memory layout of convolution weights by number of dimensions, which saves compiled convolutions a
copy of the weights in every call."""


class VideoDiffusion:
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

    frames_at_once = 4
    """Number of frames per call of the autoencoder, which bounds memory."""

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
        self.unet: Any = unet.eval().requires_grad_(False)
        self.vae: Any = vae.eval().requires_grad_(False)
        self.text_encoder: Any = text_encoder.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.scheduler = scheduler
        self.settings = settings
        self.revision = revision
        self.num_frames = num_frames
        self.compiled = compiled
        self._compiled_pass = compilation.compiled(self._pass) if compiled else self._pass
        if compiled:
            for weight in self.unet.parameters():
                if weight.ndim in CHANNELS_LAST:
                    weight.data = weight.contiguous(memory_format=CHANNELS_LAST[weight.ndim])

    @property
    def device(self) -> torch.device:
        return next(self.unet.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.unet.parameters()).dtype

    @torch.no_grad()
    def encode(self, frames: np.ndarray) -> Tensor:
        """See `Backbone.encode`. The latents are the mean of the posterior.

        Raises:
            ValueError: the frames are not uint8 (f, H, W, 3), are empty, or H or W is not a
                multiple of the autoencoder's factor.
            NotFinite: a latent is NaN or infinite.
        """
        frames = check_frames(frames, self.pixel_size(1, 1)[0])
        chunks = torch.from_numpy(np.ascontiguousarray(frames)).split(self.frames_at_once)
        images = (to_unit_range(chunk.to(self.device)).to(self.dtype) for chunk in chunks)
        means = [self.vae.encode(image).latent_dist.mean for image in images]
        latents = torch.cat(means) * self.vae.config.scaling_factor
        check_finite("latents of the clip", latents)
        return latents.transpose(0, 1)[None].contiguous().to(self._latents_dtype)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> np.ndarray:
        """See `Backbone.decode`.

        Raises:
            NotFinite: a latent or a decoded pixel is NaN or infinite.
        """
        check_finite("latents to decode", latents)
        frames = (latents[0] / self.vae.config.scaling_factor).transpose(0, 1).to(self.dtype)
        return np.concatenate([self._decode(chunk) for chunk in frames.split(self.frames_at_once)])

    def _decode(self, latents: Tensor) -> np.ndarray:
        """Frames uint8 (n, H, W, 3) of unscaled latents (n, c, h, w)."""
        images = self.vae.decode(latents).sample
        check_finite("decoded frames", images)
        return to_pixels(images).cpu().numpy()

    def pixel_size(self, height: int, width: int) -> tuple[int, int]:
        """See `Backbone.pixel_size`."""
        factor = 2 ** (len(self.vae.config.block_out_channels) - 1)
        return height * factor, width * factor

    def clip_frames(self, latent_frames: int) -> int:
        """See `Backbone.clip_frames`. Every frame has latents of its own."""
        return latent_frames

    def noise(self, num_frames: int, seed: int) -> Tensor:
        """Standard normal latents (1, c, f, h, w) of the training size, equal on all devices."""
        config = self.unet.config
        height, width = np.broadcast_to(config.sample_size, 2).tolist()
        shape = (1, config.in_channels, num_frames, height, width)
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(shape, generator=generator, dtype=self._latents_dtype).to(self.device)

    @torch.no_grad()
    def embed(self, prompt: str) -> Tensor:
        """See `Backbone.embed`. The condition is the text encoder's last hidden state."""
        return self.text_encoder(tokenize(self.tokenizer, [prompt], self.device))[0]

    def unread(self, prompt: str) -> str | None:
        """Return the end of a prompt that is beyond the text encoder's length, or None.

        CLIP's text encoder reads 75 tokens between its marks of begin and end. `embed` drops the
        others.
        """
        tokens = self.tokenizer(prompt, add_special_tokens=False, verbose=False).input_ids
        beyond = tokens[self.tokenizer.model_max_length - 2 :]
        return self.tokenizer.decode(beyond).strip() if beyond else None

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

    @property
    def _latents_dtype(self) -> torch.dtype:
        return torch.promote_types(self.dtype, torch.float32)


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
