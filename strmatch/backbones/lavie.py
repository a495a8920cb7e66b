"""UNet of LaVie base (Wang et al. 2023, arXiv 2309.15103): Stable Diffusion with temporal layers.

An independent implementation with the names of the official state dict. Shapes: b clips, c
channels, f frames, h×w positions, d channels of the text condition.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from strmatch.backbones.lavie_layers import (
    ROTARY_CHANNELS,
    Block,
    FrameConv2d,
    ResnetBlock,
    Transformer,
    TransformerBlock,
    Upsample,
    caller,
    named,
    timestep_features,
)


class LaVieUNet(ModelMixin, ConfigMixin):
    """Predicts noise (or v) from noisy latents, a timestep and a text condition.

    The arguments are those of the official class. The defaults are those of LaVie base.

    Args:
        sample_size: latent size of training. Other sizes are supported.
        in_channels, out_channels: channels of the latents and of the output.
        down_block_types: `CrossAttnDownBlock3D` or `DownBlock3D` per level, finest first.
        up_block_types: `CrossAttnUpBlock3D` or `UpBlock3D` per level, coarsest first.
        block_out_channels: width of each level, finest first.
        layers_per_block: resnets per level on the down path. The up path has one more.
        cross_attention_dim: width of the text condition.
        attention_head_dim: NUMBER of heads, common or per level. The misleading name comes from
            Stable Diffusion 1.
        norm_num_groups: groups of the group norms.

    Raises:
        ValueError: an argument is inconsistent. The message names the argument.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int | Sequence[int] | None = 64,
        in_channels: int = 4,
        out_channels: int = 4,
        down_block_types: Sequence[str] = ("CrossAttnDownBlock3D",) * 3 + ("DownBlock3D",),
        up_block_types: Sequence[str] = ("UpBlock3D",) + ("CrossAttnUpBlock3D",) * 3,
        block_out_channels: Sequence[int] = (320, 640, 1280, 1280),
        layers_per_block: int = 2,
        cross_attention_dim: int = 768,
        attention_head_dim: int | Sequence[int] = 8,
        norm_num_groups: int = 32,
    ) -> None:
        super().__init__()
        widths, levels = list(block_out_channels), len(block_out_channels)
        _require(levels > 0, "block_out_channels is empty")
        heads = attention_head_dim
        heads = [heads] * levels if isinstance(heads, int) else list(heads)
        down_attends = _has_attention("down_block_types", "Down", down_block_types, levels)
        up_attends = _has_attention("up_block_types", "Up", up_block_types, levels)
        attends = [down or up for down, up in zip(down_attends, up_attends[::-1], strict=True)]
        attends[-1] = True  # the middle block
        _check_widths(widths, heads, attends, norm_num_groups)
        _require(layers_per_block >= 1, f"layers_per_block={layers_per_block} is less than 1")

        self.num_levels = levels
        time_width = 4 * widths[0]
        resnet = partial(ResnetBlock, time_width=time_width, groups=norm_num_groups)

        def transformers(level: int, count: int) -> list[Transformer]:
            dims = (widths[level], heads[level], cross_attention_dim, norm_num_groups)
            return [Transformer(*dims) for _ in range(count)]

        self.conv_in = FrameConv2d(in_channels, widths[0], 3, padding=1)
        self.time_embedding = named(
            linear_1=nn.Linear(widths[0], time_width),
            act=nn.SiLU(),
            linear_2=nn.Linear(time_width, time_width),
        )

        self.down_blocks: Any = nn.ModuleList()
        skips = [widths[0]]  # widths of the skip connections in `forward`
        for level, width in enumerate(widths):
            layers = layers_per_block
            resnets = [resnet(width if i else skips[-1], width) for i in range(layers)]
            block = Block(resnets, transformers(level, layers if down_attends[level] else 0))
            skips += [width] * layers
            if level < levels - 1:
                conv = FrameConv2d(width, width, 3, stride=2, padding=1)
                block.downsamplers.append(named(conv=conv))
                skips.append(width)
            self.down_blocks.append(block)

        resnets = [resnet(widths[-1], widths[-1]) for _ in range(2)]
        self.mid_block = Block(resnets, transformers(levels - 1, 1))

        self.up_blocks: Any = nn.ModuleList()
        below = widths[-1]
        for level, attending in zip(reversed(range(levels)), up_attends, strict=True):
            width, layers = widths[level], layers_per_block + 1
            resnets = [resnet((width if i else below) + skips.pop(), width) for i in range(layers)]
            block = Block(resnets, transformers(level, layers if attending else 0))
            if level > 0:
                block.upsamplers.append(Upsample(width))
            self.up_blocks.append(block)
            below = width

        self.conv_norm_out = nn.GroupNorm(norm_num_groups, widths[0], eps=1e-5)
        self.conv_out = FrameConv2d(widths[0], out_channels, 3, padding=1)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        lean: bool = False,
    ) -> Tensor:
        """The model's output (b, c, f, h, w).

        Args:
            sample: (b, c, f, h, w), with any number of frames. A sample (1, …) is shared by all
                texts, and the layers before the first text attention run only once.
            timestep: scalar, or (b,).
            encoder_hidden_states: text condition (b, tokens, d).
            lean: recompute activations in the backward pass (gradient checkpointing).
        """
        precise = torch.promote_types(sample.dtype, torch.float32)
        timesteps = torch.as_tensor(timestep, device=sample.device).to(precise)
        features = timestep_features(timesteps.expand(len(sample)), self.conv_in.out_channels)
        time = self.time_embedding(features.to(sample.dtype))
        text = encoder_hidden_states

        x = self.conv_in(sample)
        skips = [x]
        for block in self.down_blocks:
            for layer in block.layers(time, text, lean):
                x = layer(x)
                skips.append(x)
            for downsampler in block.downsamplers:
                x = downsampler(x)
                skips.append(x)
        for layer in self.mid_block.layers(time, text, lean):
            x = layer(x)
        for block in self.up_blocks:
            for layer in block.layers(time, text, lean):
                skip = skips.pop().expand(len(x), -1, -1, -1, -1)
                x = layer(torch.cat((x, skip), dim=1))
            for upsampler in block.upsamplers:
                # The skip's size, because the down path rounds odd sizes up.
                x = caller(lean)(upsampler, x, skips[-1].shape[-2:])
        # As in the resnets, the statistics of the norm include all frames.
        return self.conv_out(F.silu(self.conv_norm_out(x)))

    def attention_blocks(self, level: int) -> dict[str, TransformerBlock]:
        """Transformer blocks at resolution `level` by dotted name, in execution order.

        Level 0 is the finest. The middle block belongs to the coarsest level. Empty if the level
        does not exist or has no attention.
        """
        if level not in range(self.num_levels):
            return {}
        stages = [f"down_blocks.{level}", f"up_blocks.{self.num_levels - 1 - level}"]
        if level == self.num_levels - 1:
            stages.insert(1, "mid_block")
        return {
            f"{stage}.{name}": module
            for stage in stages
            for name, module in self.get_submodule(stage).named_modules()
            if isinstance(module, TransformerBlock)
        }

    def space_time_modules(self) -> list[nn.Module]:
        """Modules of the decoder whose outputs encode layout and motion, in execution order.

        The modules correspond to those of DMT on Zeroscope (Yatim et al. 2024, arXiv 2311.17009).
        In the second block of the up path these are the last convolution of the second resnet,
        before the residual, and the upsampler. LaVie has no temporal convolution after that
        resnet. The temporal attention of the next transformer replaces it, as the first module
        that mixes frames.

        Raises:
            ValueError: the UNet has only one level.
        """
        _require(self.num_levels > 1, "features of the decoder need a UNet of two levels or more")
        block = self.up_blocks[1]
        mixers = [transformer.transformer_blocks[0] for transformer in block.attentions[1:2]]
        return [block.resnets[1].conv2, *(m.attn_temp for m in mixers), *block.upsamplers]

    @classmethod
    def from_pretrained(cls, folder: Any, **kwargs: Any) -> Any:
        """`from_pretrained` of diffusers, which here rejects missing and unexpected weights.

        Raises:
            ValueError: the weights do not match the architecture exactly.
        """
        with_report = kwargs.pop("output_loading_info", False)
        model, report = super().from_pretrained(folder, output_loading_info=True, **kwargs)
        wrong = {kind: sorted(map(str, keys)) for kind, keys in report.items() if keys}
        if wrong:
            raise ValueError(f"the weights in {folder} do not fit {cls.__name__}: {wrong}")
        return (model, report) if with_report else model


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _has_attention(argument: str, way: str, types: Sequence[str], levels: int) -> list[bool]:
    known = (f"CrossAttn{way}Block3D", f"{way}Block3D")
    _require(
        len(types) == levels and set(types) <= set(known),
        f"{argument} must be {known[0]} or {known[1]} for each of {levels} levels (as many as "
        f"block_out_channels), got {list(types)}",
    )
    return [name == known[0] for name in types]


def _check_widths(widths: list[int], heads: list[int], attends: list[bool], groups: int) -> None:
    _require(
        len(heads) == len(widths),
        f"attention_head_dim must be one number or one for each of {len(widths)} levels (as many "
        f"as block_out_channels), got {heads}",
    )
    for width, count, attending in zip(widths, heads, attends, strict=True):
        _require(
            width > 0 and width % groups == 0,
            f"block_out_channels must be multiples of norm_num_groups={groups}, got {width}",
        )
        _require(
            not attending
            or (count > 0 and width % count == 0 and width // count >= ROTARY_CHANNELS),
            f"attention_head_dim, the number of heads, must split {width} channels into equal "
            f"heads of at least {ROTARY_CHANNELS}, got {count}",
        )
