"""Layers of LaVie's UNet, with the names of the official state dict.

Shapes: b clips, c channels, f frames, h×w positions, n = h·w positions of one frame, d channels of
one head.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import zip_longest
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from strmatch.attention import Exchange, Probe, attend

ROTARY_CHANNELS = 32
POSITION_BUCKETS = 32
MAX_DISTANCE = 32


def timestep_features(timestep: Tensor, width: int) -> Tensor:
    """Sinusoidal features (b, width) of timesteps (b,), cosines first."""
    half = width // 2
    exponents = torch.arange(half, device=timestep.device, dtype=timestep.dtype) / half
    angles = timestep[:, None] * 10000.0**-exponents
    return torch.cat((angles.cos(), angles.sin()), dim=-1)


def relative_position_buckets(frames: int, device: torch.device | None = None) -> Tensor:
    """T5's bidirectional buckets (f, f) of query frame i (rows) and key frame j (columns).

    Half of the buckets are for later key frames. In each half, the first half of the buckets are
    exact distances and the rest grow logarithmically up to the maximum (Raffel et al. 2020, arXiv
    1910.10683).
    """
    half, exact = POSITION_BUCKETS // 2, POSITION_BUCKETS // 4
    positions = torch.arange(frames, device=device)
    offset = positions[None, :] - positions[:, None]
    distance = offset.abs()
    growth = (distance.clamp(min=1) / exact).log() / math.log(MAX_DISTANCE / exact)
    coarse = (exact + (growth * (half - exact)).long()).clamp(max=half - 1)
    return half * (offset > 0) + torch.where(distance < exact, distance, coarse)


class RelativePositionBias(nn.Module):
    """A learned bias (heads, f, f) on the temporal attention logits."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.relative_attention_bias = nn.Embedding(POSITION_BUCKETS, heads)

    def forward(self, frames: int) -> Tensor:
        table = self.relative_attention_bias
        bias = table(relative_position_buckets(frames, table.weight.device))
        # Fused GPU kernels require contiguous rows.
        return bias.permute(2, 0, 1).contiguous()


class RotaryEmbedding(nn.Module):
    """Rotary positions (Su et al. 2021, arXiv 2104.09864) on the first 32 channels of a head."""

    freqs: Tensor

    def __init__(self) -> None:
        super().__init__()
        exponents = torch.arange(0, ROTARY_CHANNELS, 2) / ROTARY_CHANNELS
        self.register_buffer("freqs", 10000.0**-exponents)  # part of the official checkpoint

    def forward(self, x: Tensor) -> Tensor:
        """Rotate x (…, f, d) by the frame index."""
        dtype = torch.promote_types(self.freqs.dtype, torch.float32)
        positions = torch.arange(x.shape[-2], device=x.device, dtype=dtype)
        angles = positions[:, None] * self.freqs.to(dtype)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        turning, fixed = x.split((ROTARY_CHANNELS, x.shape[-1] - ROTARY_CHANNELS), dim=-1)
        # Pairs adjacent channels, unlike LLaMA, which pairs the two halves.
        even, odd = turning[..., 0::2], turning[..., 1::2]
        turned = torch.stack((even * cos - odd * sin, odd * cos + even * sin), dim=-1).flatten(-2)
        return torch.cat((turned, fixed), dim=-1)


class Attention(nn.Module):
    """Multi-head attention (batch, queries, c) → (batch, queries, c).

    `probe`, if set, receives the probabilities (batch, heads, queries, keys). `exchange`, if set,
    replaces queries, keys and values.
    """

    def __init__(self, width: int, heads: int, text_width: int | None = None) -> None:
        super().__init__()
        self.num_heads = heads
        self.scale = (width // heads) ** -0.5
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(text_width or width, width, bias=False)
        self.to_v = nn.Linear(text_width or width, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width))
        self.probe: Probe | None = None
        self.exchange: Exchange | None = None

    def forward(self, x: Tensor, text: Tensor | None = None) -> Tensor:
        """Attend to `text` (batch, tokens, text_width), or to x itself.

        x (1, queries, c) is shared by all texts.
        """
        keys = x if text is None else text
        query = self.to_q(x).expand(len(keys), -1, -1)
        key, value = self.to_k(keys), self.to_v(keys)
        return self._attend(self._split(query), self._split(key), self._split(value))

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        """Queries, keys and values (batch, heads, tokens, d) → (batch, queries, c)."""
        out = attend(
            query,
            key,
            value,
            scale=self.scale,
            bias=bias,
            probe=self.probe,
            exchange=self.exchange,
        )
        return self.to_out(out.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class TemporalAttention(Attention):
    """Self-attention over the frames of one position, (batch, f, c) → (batch, f, c)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        nn.init.zeros_(self.to_out.get_parameter("0.weight"))
        self.time_rel_pos_bias = RelativePositionBias(heads)
        self.rotary_emb = RotaryEmbedding()

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        bias = self.time_rel_pos_bias(query.shape[-2])[None].to(query.dtype)
        return super()._attend(self.rotary_emb(query), self.rotary_emb(key), value, bias)


class GEGLU(nn.Module):
    """Gated linear unit with GELU (Shazeer 2020, arXiv 2002.05202), (…, width) → (…, inner)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        hidden, gate = self.proj(x).chunk(2, dim=-1)
        return hidden * F.gelu(gate)


class TransformerBlock(nn.Module):
    """Spatial, text and temporal attention and a feed-forward net, (b, f, n, c) → (b, f, n, c).

    Probed maps: attn1 (b·f, heads, n, n), attn2 (b, heads, f·n, tokens),
    attn_temp (b·n, heads, f, f).
    """

    def __init__(self, width: int, heads: int, text_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, heads, text_width)
        self.norm_temp = nn.LayerNorm(width)
        self.attn_temp = TemporalAttention(width, heads)
        self.norm3 = nn.LayerNorm(width)
        # The identity replaces the official dropout, to keep the indices in the names.
        self.ff = named(
            net=nn.Sequential(GEGLU(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))
        )

    @property
    def is_probed(self) -> bool:
        return any(a.probe is not None for a in (self.attn1, self.attn2, self.attn_temp))

    def forward(self, x: Tensor, text: Tensor, lean: bool = False) -> Tensor:
        b, f, n, _ = x.shape
        x = x + self.attn1(self.norm1(x).flatten(0, 1)).unflatten(0, (b, f))
        x = x + self.attn2(self.norm2(x).flatten(1, 2), text).unflatten(1, (f, n))
        by_position = self.norm_temp(x).transpose(1, 2).flatten(0, 1)  # (b·n, f, c)
        x = x + self.attn_temp(by_position).unflatten(0, (-1, n)).transpose(1, 2)
        return x + caller(lean)(self.ff, self.norm3(x))


class Transformer(nn.Module):
    """One transformer block around a clip, (b, c, f, h, w) → (b, c, f, h, w)."""

    def __init__(self, width: int, heads: int, text_width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.proj_in = nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, heads, text_width)])
        self.proj_out = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor, text: Tensor, lean: bool = False) -> Tensor:
        b, _, f, h, w = x.shape
        # Normalised per frame, unlike the resnets.
        frames = self.proj_in(self.norm(x.transpose(1, 2).flatten(0, 1)))
        tokens = frames.flatten(2).transpose(1, 2).unflatten(0, (b, f))
        for block in self.transformer_blocks:
            tokens = block(tokens, text, lean)
        frames = self.proj_out(tokens.flatten(0, 1).transpose(1, 2).unflatten(2, (h, w)))
        return x + frames.unflatten(0, (-1, f)).transpose(1, 2)


class FrameConv2d(nn.Conv2d):
    """A 2-D convolution of each frame of a clip, (b, c, f, h, w) → (b, c′, f, h′, w′)."""

    def forward(self, x: Tensor) -> Tensor:
        frames = super().forward(x.transpose(1, 2).flatten(0, 1))
        return frames.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)


class ResnetBlock(nn.Module):
    """Two convolutions with a timestep embedding between, (b, c, f, h, w) → (b, c′, f, h, w)."""

    def __init__(self, in_width: int, width: int, time_width: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_width, eps=1e-5)
        self.conv1 = FrameConv2d(in_width, width, 3, padding=1)
        self.time_emb_proj = nn.Linear(time_width, width)
        self.norm2 = nn.GroupNorm(groups, width, eps=1e-5)
        self.conv2 = FrameConv2d(width, width, 3, padding=1)
        if in_width != width:
            self.conv_shortcut = FrameConv2d(in_width, width, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        # The statistics of the norms include all frames.
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = hidden + self.time_emb_proj(F.silu(time))[:, :, None, None, None]
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        return hidden + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Upsample(nn.Module):
    """(b, c, f, h, w) → (b, c, f, *size)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = FrameConv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        return self.conv(F.interpolate(x, size=(x.shape[2], *size), mode="nearest"))


class Block(nn.Module):
    """The layers of one resolution on the down path, in the middle or on the up path."""

    def __init__(self, resnets: list[ResnetBlock], attentions: list[Transformer]) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList(attentions)
        self.downsamplers = nn.ModuleList()
        self.upsamplers = nn.ModuleList()

    def layers(self, time: Tensor, text: Tensor, lean: bool) -> Iterator[Callable[..., Tensor]]:
        """Each resnet with the transformer that follows it, if any, as one function of x.

        With `lean`, activations are recomputed in the backward pass (gradient checkpointing).
        Probed blocks are excluded, because recomputation would call the probe twice.
        """
        call = caller(lean)
        for resnet, attention in zip_longest(self.resnets, self.attentions):

            def layer(x: Tensor, resnet: Any = resnet, attention: Any = attention) -> Tensor:
                x = call(resnet, x, time)
                if attention is None:
                    return x
                if any(block.is_probed for block in attention.transformer_blocks):
                    return attention(x, text, lean)
                return call(attention, x, text)

            yield layer


def caller(lean: bool) -> Callable[..., Tensor]:
    """A function that calls a module, with gradient checkpointing if `lean`."""
    if lean:
        return partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
    return lambda module, *inputs: module(*inputs)


def named(**modules: nn.Module) -> nn.Sequential:
    """Sequential modules with names in the state dict."""
    return nn.Sequential(OrderedDict(modules))
