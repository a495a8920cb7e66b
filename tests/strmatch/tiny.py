"""A backbone of the real classes, small enough to differentiate in double precision."""

import torch
from diffusers import AutoencoderKL, UNet3DConditionModel, UNetMotionModel
from transformers import CLIPTextConfig, CLIPTextModel

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.backbones.factorised import FactorisedUNet
from strmatch.backbones.lavie import LaVieUNet
from strmatch.miniature.model import make_scheduler
from strmatch.miniature.tokenizer import make_tokenizer
from strmatch.settings import EditSettings

FRAMES, SIZE = 4, 32
SETTINGS = EditSettings(num_inference_steps=4, guidance_scale=3.0, scored_levels=(0, 1))


WIDTHS = {"sample_size": 8, "block_out_channels": (32, 64), "layers_per_block": 1}
WIDTHS["cross_attention_dim"] = 32


def tiny_lavie():
    return LaVieUNet(
        **WIDTHS,
        down_block_types=("CrossAttnDownBlock3D",) * 2,
        up_block_types=("CrossAttnUpBlock3D",) * 2,
        attention_head_dim=(1, 2),
    )


def three_levels():
    """A UNet like that of LaVie: the second decoder block has attention and an upsampler."""
    return LaVieUNet(
        sample_size=8,
        block_out_channels=(32, 32, 32),
        down_block_types=("CrossAttnDownBlock3D",) * 3,
        up_block_types=("CrossAttnUpBlock3D",) * 3,
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=1,
        norm_num_groups=8,
    )


def tiny_unet3d():
    return UNet3DConditionModel(
        **WIDTHS,
        down_block_types=("CrossAttnDownBlock3D",) * 2,
        up_block_types=("CrossAttnUpBlock3D",) * 2,
        attention_head_dim=16,  # channels of a head
    )


def tiny_motion(**changes):
    return UNetMotionModel(
        **WIDTHS | changes,
        down_block_types=("CrossAttnDownBlockMotion",) * 2,
        up_block_types=("CrossAttnUpBlockMotion",) * 2,
        num_attention_heads=2,
        motion_num_attention_heads=2,
    )


def wake(unet):
    """Randomise zero parameters, so that every branch contributes to the output."""
    for parameter in unet.parameters():
        if parameter.count_nonzero() == 0:
            torch.nn.init.normal_(parameter, std=0.05)
    return unet


def tiny_backbone(prediction_type="epsilon", dtype=torch.float64, make_unet=tiny_lavie):
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    unet = wake(make_unet()).to(dtype)
    if not isinstance(unet, LaVieUNet):
        unet = FactorisedUNet(unet)
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
        unet,
        vae.to(dtype),
        text_encoder.to(dtype),
        tokenizer,
        scheduler,
        SETTINGS,
    )


def save_backbone(backbone, folder):
    """Save a model in the layout that `load_backbone` reads."""
    unet = getattr(backbone.unet, "unet", backbone.unet)
    unet.save_pretrained(folder / "unet")
    for part in ("vae", "text_encoder", "tokenizer", "scheduler"):
        getattr(backbone, part).save_pretrained(folder / part)
