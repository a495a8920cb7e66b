"""The embedded model's architecture, with fresh weights, in diffusers' folder format."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from strmatch.backbones.lavie import LaVieUNet
from strmatch.miniature.tokenizer import make_tokenizer

TEXT_WIDTH = 128


def make_unet() -> LaVieUNet:
    """LaVie's architecture over 16×16 latents: three levels, heads of 32 channels."""
    return LaVieUNet(
        sample_size=16,
        block_out_channels=(64, 96, 96),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock3D",) * 3,
        up_block_types=("CrossAttnUpBlock3D",) * 3,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=(2, 3, 3),
    )


def make_vae() -> AutoencoderKL:
    """64×64 pixels to 16×16 latents of four channels."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 64, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=16,
        sample_size=64,
    )


def make_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def make_scheduler() -> DDIMScheduler:
    """LaVie's noise schedule."""
    return DDIMScheduler(
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        steps_offset=1,
        set_alpha_to_one=False,
        clip_sample=False,
        prediction_type="epsilon",
    )


def save_untrained(folder: Path, seed: int = 0) -> None:
    """Write a complete model folder with random weights in half precision."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    unet = make_unet()
    for name, parameter in unet.named_parameters():
        if name.endswith("attn_temp.to_out.0.weight"):  # zero at construction: a dead branch
            torch.nn.init.xavier_uniform_(parameter)
    unet.half().save_pretrained(folder / "unet")
    make_vae().half().save_pretrained(folder / "vae")
    make_text_encoder(tokenizer).half().save_pretrained(folder / "text_encoder")
    tokenizer.save_pretrained(folder / "tokenizer")
    make_scheduler().save_pretrained(folder / "scheduler")
