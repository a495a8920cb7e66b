"""Weights, texts and latents by a formula, equal in every version of the libraries."""

import numpy as np
import torch
from diffusers import UNet3DConditionModel

from strmatch.editor import Inversion
from tests.strmatch.tiny import WIDTHS, tiny_backbone

FRAMES, SIDE = 3, 8
"""Number of frames, and height and width of the latents."""
TOKENS = 5
PROMPTS = {"": 1, "source": 2, "target": 3, "negative": 4}
"""Prompts and the seeds of their embeddings."""


def numbers(shape, seed):
    """Pseudorandom float64 numbers of mean 0 and variance 1, uniform."""
    index = np.arange(np.prod(shape), dtype=np.float64)
    scrambled = np.sin(12.9898 * index + 78.233 * seed) * 43758.5453
    uniform = scrambled - np.floor(scrambled)
    return torch.from_numpy((2 * uniform - 1) * 3**0.5).reshape(shape)


def latents(seed):
    return numbers((1, 4, FRAMES, SIDE, SIDE), seed)


def embedding(prompt):
    return numbers((1, TOKENS, WIDTHS["cross_attention_dim"]), PROMPTS[prompt])


@torch.no_grad()
def fill(module):
    """Set all parameters, in the order of their names."""
    for seed, (name, parameter) in enumerate(sorted(module.named_parameters())):
        values = numbers(tuple(parameter.shape), seed)
        if parameter.ndim > 1:
            values /= parameter[0].numel() ** 0.5
        else:
            values = 0.1 * values + ("norm" in name and name.endswith("weight"))
        parameter.copy_(values)
    return module


def unet3d():
    """A UNet of Zeroscope's class whose second decoder block has an upsampler."""
    return UNet3DConditionModel(
        **WIDTHS | {"block_out_channels": (32, 32, 32)},
        down_block_types=("CrossAttnDownBlock3D",) * 3,
        up_block_types=("CrossAttnUpBlock3D",) * 3,
        attention_head_dim=16,
    )


def formula_backbone(make_unet):
    """A backbone in double precision with the UNet's weights and the texts by the formula."""
    backbone = tiny_backbone(make_unet=make_unet)
    fill(getattr(backbone.unet, "unet", backbone.unet))
    backbone.embed = embedding
    return backbone


def formula_inversion(backbone, num_steps, source_prompt):
    """Latents by the formula for every noise level, in place of an inversion."""
    schedule = backbone.schedule(num_steps)
    trajectory = torch.stack([latents(10 + level) for level in range(num_steps + 1)])
    return Inversion(trajectory, source_prompt, schedule, "next", 0)
