"""A backbone built from a video transformer with joint attention, in diffusers format."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from strmatch.attention import LayerMaps, MapChoice, Relevance
from strmatch.backbones import compilation
from strmatch.backbones.autoencoders import make_autoencoder
from strmatch.backbones.joint.denoisers import make_denoiser
from strmatch.backbones.joint.heads import head_masses, split_heads
from strmatch.backbones.joint.recording import record_queries_and_keys
from strmatch.backbones.joint.slices import HeadSplit, joint_maps
from strmatch.backbones.latent_diffusion import LatentDiffusion
from strmatch.backbones.recomputation import recomputed
from strmatch.backbones.texts import TEXTS
from strmatch.sampling.schedule import Schedule
from strmatch.settings import EditSettings

PROFILE_FRAMES, PROFILE_SIDE, PROFILE_SEED = 5, 16, 0
"""Size in tokens and seed of the latents on which heads are told apart."""

WAN_SIZE = (60, 104)
"""Latents of 480×832 pixels, for which Wan 2.1 1.3B was made."""


class JointDiffusion(LatentDiffusion):
    """Transformer, autoencoder, text encoder, tokenizer and scheduler as a `Backbone`.

    Blocks take the place of the resolutions of a UNet: `scored_levels` are indices of blocks.

    Args:
        transformer: a WanTransformer3DModel or CogVideoXTransformer3DModel.
        vae: an AutoencoderKLWan, AutoencoderKLCogVideoX, or AutoencoderKL for single frames.
        text_encoder: a UMT5EncoderModel, T5EncoderModel or CLIPTextModel.
        tokenizer: the text encoder's.
        scheduler: a FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler with flow sigmas,
            CogVideoXDDIMScheduler or DDIMScheduler.
        settings: default edit settings of the model.
        revision: identifier of the weights.
        num_frames: number of frames of a clip that the model was trained on.
        compiled: compile the transformer's passes without recording with `torch.compile`.

    Raises:
        ValueError: a part is of an unknown class.
    """

    def __init__(
        self,
        transformer: nn.Module,
        vae: nn.Module,
        text_encoder: nn.Module,
        tokenizer: Any,
        scheduler: Any,
        settings: EditSettings,
        revision: str = "unversioned",
        num_frames: int = 16,
        compiled: bool = False,
    ) -> None:
        encoder = type(text_encoder).__name__
        if encoder not in TEXTS:
            raise ValueError(f"the text encoder must be one of {', '.join(TEXTS)}, got {encoder}")
        super().__init__(
            transformer,
            make_autoencoder(vae),
            text_encoder,
            tokenizer,
            TEXTS[encoder],
            scheduler,
            settings,
            revision,
            num_frames,
        )
        self.transformer: Any = transformer
        self.compiled = compiled
        self._denoiser = make_denoiser(self.transformer)
        call = self._denoiser.__call__
        self._compiled_call = compilation.compiled(call) if compiled else call
        self._splits: dict[int, HeadSplit] = {}

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of most weights. Some of Wan's stay in float32."""
        dtype: torch.dtype = self.transformer.dtype
        return dtype

    @property
    def text_width(self) -> int:
        """Channels of the text conditions that the transformer takes."""
        return self._denoiser.text_width

    def schedule(self, num_inference_steps: int) -> Schedule:
        """See `Backbone.schedule`."""
        return Schedule.from_scheduler(self.scheduler, num_inference_steps)

    def predict(self, latents: Tensor, timestep: float, embeddings: Tensor) -> Tensor:
        """See `Backbone.predict`."""
        return self._call(self._compiled_call, latents, timestep, embeddings)

    def check_choice(self, choice: MapChoice) -> None:
        """See `Backbone.check_choice`."""
        self._blocks(choice)

    def attention_maps(
        self,
        latents: Tensor,
        timestep: float,
        embedding: Tensor,
        choice: MapChoice,
        lean: bool = False,
    ) -> list[LayerMaps | Relevance]:
        """See `Backbone.attention_maps`. Raises the errors of `check_choice`."""
        _, maps = self._recorded(latents, timestep, embedding, choice, leave=True, lean=lean)
        return maps

    def predict_with_maps(
        self, latents: Tensor, timestep: float, embedding: Tensor, choice: MapChoice
    ) -> tuple[Tensor, list[LayerMaps | Relevance]]:
        """See `Backbone.predict_with_maps`. Raises the errors of `check_choice`."""
        output, maps = self._recorded(latents, timestep, embedding, choice)
        assert output is not None
        return output, maps

    def _recorded(
        self,
        latents: Tensor,
        timestep: float,
        embedding: Tensor,
        choice: MapChoice,
        leave: bool = False,
        lean: bool = False,
    ) -> tuple[Tensor | None, list[LayerMaps | Relevance]]:
        """The prediction (None if `leave` ends the pass early) and the maps of chosen blocks."""
        blocks = self._blocks(choice)
        splits = self._head_splits(blocks) if choice.joint.separated else {}
        attentions: dict[int, Any] = {block: self._denoiser.blocks[block].attn1 for block in blocks}
        output = None
        with ExitStack() as stack:
            if lean:  # the last block ends the pass, or needs no more memory than it would alone
                stack.enter_context(recomputed(self._denoiser.blocks[: blocks[-1]]))
            pairs = stack.enter_context(record_queries_and_keys(attentions, leave))
            output = self._call(self._denoiser, latents, timestep, embedding)
        grid = self._denoiser.grid(latents, embedding)
        maps = []
        for block in blocks:
            query, key = (each[0] for each in pairs[block])
            split = splits.get(block)
            maps.append(joint_maps(query, key, grid, choice.joint, choice.mean_heads, split))
        return output, [type(each)(*(t.to(latents.dtype) for t in each)) for each in maps]

    def _call(self, call: Any, latents: Tensor, timestep: float, embeddings: Tensor) -> Tensor:
        """The transformer's output."""
        count = len(embeddings)
        timesteps = torch.full((count,), timestep, device=self.device)
        own = latents.to(self.dtype).expand(count, -1, -1, -1, -1)
        output: Tensor = call(own, timesteps, embeddings)
        return output.to(latents.dtype)

    def _blocks(self, choice: MapChoice) -> Sequence[int]:
        """Indices of the scored blocks, in order.

        Raises:
            ValueError: there is no such block, or the model has no such temporal attention.
        """
        count = len(self._denoiser.blocks)
        if choice.temporal != "first":
            raise ValueError(
                "temporal_attention: the transformer has one joint attention a block, of which "
                f"{choice.temporal!r} cannot be taken"
            )
        if choice.levels is None:
            return range(count // 3, max(count // 3 + 1, 2 * count // 3))
        for level in choice.levels:
            if level >= count:
                raise ValueError(
                    f"scored_levels: the transformer has the blocks 0 to {count - 1}, not {level}"
                )
        return sorted(choice.levels)

    @torch.no_grad()
    def _head_splits(self, blocks: Sequence[int]) -> dict[int, HeadSplit]:
        """The heads of each block, told apart once on noise of a fixed size and seed."""
        if not set(blocks) <= self._splits.keys():
            side = PROFILE_SIDE * self._denoiser.patch
            shape = (1, self.transformer.config.in_channels, PROFILE_FRAMES, side, side)
            generator = torch.Generator().manual_seed(PROFILE_SEED)
            noise = torch.randn(shape, generator=generator, dtype=self._latents_dtype)
            latents, empty = noise.to(self.device), self.embed("")
            noisiest = self.scheduler.config.num_train_timesteps - 1
            attentions: dict[int, Any] = {
                block: each.attn1 for block, each in enumerate(self._denoiser.blocks)
            }
            with record_queries_and_keys(attentions, leave=True) as pairs:
                self._call(self._denoiser, latents, noisiest, empty)
            grid = self._denoiser.grid(latents, empty)
            for block, (query, key) in pairs.items():
                self._splits[block] = split_heads(*head_masses(query[0], key[0], grid))
        return self._splits

    def _latent_size(self) -> tuple[int, int]:
        """Height and width of the latents of training, which the configs of Wan do not state."""
        config = self.transformer.config
        if "sample_height" in config:
            return config.sample_height, config.sample_width
        if self._autoencoder.rate == 1:
            side = self.vae.config.sample_size // self._autoencoder.factor
            return side, side
        return WAN_SIZE

    @property
    def _multiple(self) -> int:
        return self._autoencoder.factor * self._denoiser.patch
