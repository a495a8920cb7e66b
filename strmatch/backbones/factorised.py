"""diffusers' video UNets with spatial and temporal attention behind the interface of `LaVieUNet`.

The computations of `UNet3DConditionModel` (ModelScope, Zeroscope) and `UNetMotionModel`
(AnimateDiff) are unchanged. The wrapper adds access to attention probabilities. In both classes,
each spatial transformer block has a temporal partner with two attentions over the frames.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from strmatch.attention import Probe, attend
from strmatch.backbones.recomputation import recomputed

TEMPORAL = {"UNet3DConditionModel": "temp_attentions", "UNetMotionModel": "motion_modules"}
"""Attribute of each class that holds the temporal transformers, paired with `attentions`."""
LARGE_PARTS = (
    *("ResnetBlock2D", "TemporalConvLayer", "Upsample2D", "FeedForward"),
    *("Transformer2DModel", "TransformerTemporalModel", "AnimateDiffTransformer3D"),
)
"""Classes of the modules that a lean pass recomputes in the backward pass."""


class ProbedProcessor:
    """A diffusers attention processor that applies the attention's `probe` and `exchange`."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """(batch, queries, c) → (batch, queries, c).

        Args:
            encoder_hidden_states: (batch, keys, c′), attended tokens. None attends to the queries.
            attention_mask: part of the interface of diffusers, always None.
        """
        tokens = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for x in (attn.to_q(hidden_states), attn.to_k(tokens), attn.to_v(tokens))
        )
        out = attend(
            query,
            key,
            value,
            scale=attn.scale,
            probe=getattr(attn, "probe", None),
            exchange=getattr(attn, "exchange", None),
        )
        linear, dropout = attn.to_out
        return dropout(linear(out.transpose(1, 2).flatten(2)))


class FactorisedBlock(NamedTuple):
    """The self-attentions of a spatial and a temporal transformer block, each with a `probe`.

    Probed maps: attn1 (b·f, heads, n, n), both temporal ones (b·n, heads, f, f).
    """

    attn1: Any
    """Spatial, per frame."""
    attn_temp: Any
    """First attention over the frames of a position."""
    attn_temp2: Any
    """Second attention over the frames, applied after the first."""


class FactorisedUNet(nn.Module):
    """A video UNet of diffusers with the interface of `LaVieUNet`.

    Args:
        unet: a UNet3DConditionModel or UNetMotionModel.

    Raises:
        ValueError: the class is not supported, or spatial and temporal blocks do not pair.
    """

    def __init__(self, unet: Any) -> None:
        super().__init__()
        if type(unet).__name__ not in TEMPORAL:
            raise ValueError(f"a UNet must be one of {list(TEMPORAL)}, got {type(unet).__name__}")
        self.unet = unet
        self.num_levels = len(unet.down_blocks)
        unet.set_attn_processor(ProbedProcessor())
        self._temporal = TEMPORAL[type(unet).__name__]
        self._levels = [dict(self._find_blocks(level)) for level in range(self.num_levels)]

    @property
    def config(self) -> Any:
        return self.unet.config

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        lean: bool = False,
    ) -> Tensor:
        """The model's output (b, c, f, h, w), see `LaVieUNet.forward`."""
        sample = sample.expand(len(encoder_hidden_states), -1, -1, -1, -1)
        if self._temporal == "motion_modules":  # AnimateDiff takes one text per frame
            encoder_hidden_states = encoder_hidden_states.repeat_interleave(sample.shape[2], dim=0)
        with recomputed(_not_probed(self.unet) if lean else ()):
            return self.unet(sample, timestep, encoder_hidden_states, return_dict=False)[0]

    def attention_blocks(self, level: int) -> dict[str, FactorisedBlock]:
        """Pairs of blocks at `level` by the dotted name of the spatial block, in execution order.

        Level 0 is the finest. The middle block belongs to the coarsest level. Blocks without a
        partner have no score and are omitted.
        """
        return self._levels[level] if level in range(self.num_levels) else {}

    def space_time_modules(self) -> list[nn.Module]:
        """See `LaVieUNet.space_time_modules`.

        The module that mixes frames is the temporal convolution (Zeroscope, as in DMT) or the
        motion module (AnimateDiff).

        Raises:
            ValueError: the UNet has only one level.
        """
        if self.num_levels < 2:
            raise ValueError("features of the decoder need a UNet of two levels or more")
        block = self.unet.up_blocks[1]
        mixers = block.temp_convs if hasattr(block, "temp_convs") else block.motion_modules
        return [block.resnets[1].conv2, mixers[1], *(block.upsamplers or ())]

    def _find_blocks(self, level: int) -> Iterator[tuple[str, FactorisedBlock]]:
        stages = [f"down_blocks.{level}", f"up_blocks.{self.num_levels - 1 - level}"]
        if level == self.num_levels - 1:
            stages.insert(1, "mid_block")
        for name in stages:
            stage = self.unet.get_submodule(name)
            spatial: Sequence[Any] = getattr(stage, "attentions", ())
            temporal: Sequence[Any] = getattr(stage, self._temporal, ())
            if not (spatial and temporal):
                continue
            for i, (over_space, over_time) in enumerate(zip(spatial, temporal, strict=True)):
                blocks = over_space.transformer_blocks, over_time.transformer_blocks
                if len(blocks[0]) != len(blocks[1]):
                    raise ValueError(f"{name}: its spatial and temporal blocks do not pair")
                for k, (one, other) in enumerate(zip(*blocks, strict=True)):
                    pair = FactorisedBlock(one.attn1, other.attn1, other.attn2)
                    yield f"{name}.attentions.{i}.transformer_blocks.{k}", pair


def _not_probed(module: nn.Module) -> Iterator[nn.Module]:
    """The largest modules without a probe, because recomputation would call a probe twice."""
    for part in module.children():
        probed = any(getattr(inner, "probe", None) is not None for inner in part.modules())
        if type(part).__name__ in LARGE_PARTS and not probed:
            yield part
        else:
            yield from _not_probed(part)


class MeanAttention:
    """Attentions that run sequentially, probed as one attention with their mean probabilities."""

    def __init__(self, *attentions: Any) -> None:
        self._attentions = attentions

    def _set_probe(self, probe: Probe | None) -> None:
        maps: list[Tensor] = []

        def keep(probabilities: Tensor) -> None:
            maps.append(probabilities)
            if probe is not None and len(maps) == len(self._attentions):
                mean = torch.stack(maps).mean(dim=0)
                maps.clear()
                probe(mean)

        for attention in self._attentions:
            attention.probe = None if probe is None else keep

    probe = property(None, _set_probe)


def temporal_attention(block: Any, which: str) -> Any:
    """The temporal attention of a block that provides T.

    Args:
        block: has `attn_temp`, and `attn_temp2` if the block has two temporal attentions.
        which: "first", "second" or "mean".

    Raises:
        ValueError: `which` requires two temporal attentions, and the block has one.
    """
    if which == "first":
        return block.attn_temp
    if not hasattr(block, "attn_temp2"):
        raise ValueError(
            f"temporal_attention: the UNet has one a block, of which {which!r} cannot be taken"
        )
    if which == "second":
        return block.attn_temp2
    return MeanAttention(block.attn_temp, block.attn_temp2)
