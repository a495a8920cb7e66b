"""A backbone of the real classes, small enough to differentiate in double precision."""

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextConfig, CLIPTextModel

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.backbones.lavie import LaVieUNet
from strmatch.miniature.model import make_scheduler
from strmatch.miniature.tokenizer import make_tokenizer
from strmatch.settings import EditSettings

FRAMES, SIZE = 4, 32
SETTINGS = EditSettings(num_inference_steps=4, guidance_scale=3.0, scored_levels=(0, 1))


def tiny_backbone(prediction_type="epsilon", dtype=torch.float64):
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    unet = LaVieUNet(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock3D",) * 2,
        up_block_types=("CrossAttnUpBlock3D",) * 2,
        cross_attention_dim=32,
        attention_head_dim=(1, 2),
    )
    for parameter in unet.parameters():  # no branch may be dead
        if parameter.count_nonzero() == 0:
            torch.nn.init.normal_(parameter, std=0.05)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 16, 16),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=SIZE,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    scheduler = make_scheduler(prediction_type)
    return VideoDiffusion(
        unet.to(dtype),
        vae.to(dtype),
        text_encoder.to(dtype),
        tokenizer,
        scheduler,
        SETTINGS,
    )
