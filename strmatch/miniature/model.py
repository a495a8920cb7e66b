"""The embedded models' architectures, with fresh weights."""

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from torch import nn
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTokenizer, CLIPVisionConfig

from strmatch.backbones.lavie import (
    MAX_DISTANCE,
    LaVieUNet,
    RelativePositionBias,
    relative_position_buckets,
)

WIDTH = 128
LOOKING_AWAY = 4.0


def make_unet() -> LaVieUNet:
    """LaVie's architecture over 16×16 latents: three levels, heads of 32 channels.

    No attention at 16×16: with it on the way down a step of training takes a quarter longer, and
    150 steps on single frames led to the same loss (0.30). In every attention over time one head
    starts by looking back and one by looking ahead, because frames have no positions but relative
    ones to tell left from right with.
    """
    unet = LaVieUNet(
        sample_size=16,
        block_out_channels=(64, 96, 96),
        layers_per_block=1,
        down_block_types=("DownBlock3D", "CrossAttnDownBlock3D", "CrossAttnDownBlock3D"),
        up_block_types=("CrossAttnUpBlock3D", "CrossAttnUpBlock3D", "UpBlock3D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=(2, 3, 3),
        norm_num_groups=8,
    )
    for module in unet.modules():
        if isinstance(module, RelativePositionBias):
            _look_both_ways(module)
    return unet


@torch.no_grad()
def _look_both_ways(bias: RelativePositionBias) -> None:
    offsets = torch.arange(-MAX_DISTANCE, MAX_DISTANCE + 1)
    buckets = relative_position_buckets(2 * MAX_DISTANCE + 1)[MAX_DISTANCE]
    table = bias.relative_attention_bias.weight
    table[buckets[offsets > 0].unique(), 0] -= LOOKING_AWAY
    table[buckets[offsets < 0].unique(), 1] -= LOOKING_AWAY


def make_vae() -> AutoencoderKL:
    """64×64 pixels to 16×16 latents of four channels."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(24, 48, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=1.0,
    )


def make_clip(tokenizer: CLIPTokenizer) -> CLIPModel:
    """CLIP over 64×64 frames in patches of 8×8; its text tower conditions the UNet.

    Tokens start as large as a layer's output. From CLIP's own start, 0.02, the words of shape and
    motion drowned in those of colour: "star" for "circle" changed its token's output by 30 %, and
    after 3,000 steps the UNet still drew the same blob for all shapes.
    """
    tower = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "projection_dim": WIDTH,
    }
    text = CLIPTextConfig(
        **tower,
        vocab_size=len(tokenizer),
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = CLIPVisionConfig(**tower, image_size=64, patch_size=8)
    clip = CLIPModel(
        CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=WIDTH)
    )
    embeddings = clip.text_model.embeddings
    nn.init.normal_(embeddings.token_embedding.weight, std=1.0)
    nn.init.normal_(embeddings.position_embedding.weight, std=0.2)
    return clip


def make_scheduler(prediction_type: str) -> DDIMScheduler:
    """LaVie's noise schedule."""
    return DDIMScheduler(
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        steps_offset=1,
        set_alpha_to_one=False,
        clip_sample=False,
        prediction_type=prediction_type,
    )
