"""Architecture of the embedded model with joint attention, with initial weights.

A diffusion transformer whose tokens of all frames attend to each other, for the latents and the
text tower of the factorised model.
"""

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanTransformer3DModel
from torch import nn

from strmatch.miniature.model import WIDTH

HEADS, HEAD_WIDTH, BLOCKS = 6, 32, 8
POSITIONS = 64
"""Largest number of frames, and of tokens along a side."""
SHIFT = 3.0
"""Shift of the noise levels of sampling. Level k of n is about as noisy as level k of n of the
factorised model's schedule, and 3 is what Wan takes at 480p."""


def make_transformer() -> WanTransformer3DModel:
    """Wan's architecture for 16×16 latents: 64 tokens a frame, heads of 32 channels.

    Rotary positions of a head have 12 channels for time and 10 for each side. At the start every
    residual branch has an output of zero and an open gate, and the model predicts nothing.
    """
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=HEADS,
        attention_head_dim=HEAD_WIDTH,
        in_channels=4,
        out_channels=4,
        text_dim=WIDTH,
        ffn_dim=4 * HEADS * HEAD_WIDTH,
        num_layers=BLOCKS,
        rope_max_seq_len=POSITIONS,
    )
    _silence(transformer)
    return transformer


def make_flow_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Scheduler of flow matching: labels of noise levels are 1000 σ."""
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=SHIFT)


@torch.no_grad()
def _silence(transformer: WanTransformer3DModel) -> None:
    """Zero the outputs of all residual branches and of the model, and open the gates.

    The modulation (shift, scale, gate) of a block is a table plus a projection of the time.
    """
    ends: list[nn.Module] = [transformer.proj_out, transformer.condition_embedder.time_proj]
    transformer.scale_shift_table.zero_()
    for block in transformer.blocks:
        ends += [block.attn1.to_out[0], block.attn2.to_out[0], block.ffn.net[-1]]
        block.scale_shift_table.zero_()
        block.scale_shift_table[:, (2, 5)] = 1.0
    for end in ends:
        for parameter in end.parameters():
            parameter.zero_()
