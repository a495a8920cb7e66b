"""Video pipelines of diffusers with tiny random components, in folders."""

from pathlib import Path
from typing import Any

import diffusers
import torch
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

WORDS = ("a", "red", "blue", "green", "circle", "square", "over", "bricks", "the", "to", "with")
TEXT = {"d_model": 32, "d_ff": 37, "d_kv": 8, "num_layers": 2, "num_heads": 4, "vocab_size": 64}


def tokenizer() -> T5Tokenizer:
    """A tokenizer of few words and all letters."""
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [(f"▁{word}", -1.0) for word in WORDS]
    vocabulary += [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz▁."]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0)


def wan_vace() -> Any:
    """Wan VACE: video, mask and prompt; 4k + 1 frames, sides that are multiples of 16."""
    transformer = diffusers.WanVACETransformer3DModel(
        **WAN, vace_layers=[0, 1], vace_in_channels=96, rope_max_seq_len=32
    )
    return diffusers.WanVACEPipeline(transformer=transformer, **wan_parts())


def wan_v2v() -> Any:
    """Wan video to video: video, prompt and strength."""
    transformer = diffusers.WanTransformer3DModel(**WAN, rope_max_seq_len=32)
    parts = wan_parts()
    parts["scheduler"] = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    return diffusers.WanVideoToVideoPipeline(transformer=transformer, **parts)


WAN = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 32,
    "freq_dim": 256,
    "ffn_dim": 32,
    "num_layers": 2,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
}


def wan_parts() -> dict[str, Any]:
    vae = diffusers.AutoencoderKLWan(
        base_dim=3,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )
    return {
        "tokenizer": tokenizer(),
        "text_encoder": UMT5EncoderModel(UMT5Config(**TEXT)),
        "vae": vae,
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
    }


def cogvideox_v2v() -> Any:
    """CogVideoX video to video: video, prompt and strength; 4k + 1 frames."""
    transformer = diffusers.CogVideoXTransformer3DModel(
        num_attention_heads=4,
        attention_head_dim=8,
        in_channels=4,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=32,
        num_layers=1,
        sample_width=2,
        sample_height=2,
        sample_frames=9,
        patch_size=2,
        temporal_compression_ratio=4,
        max_text_seq_length=16,
    )
    vae = diffusers.AutoencoderKLCogVideoX(
        in_channels=3,
        out_channels=3,
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    )
    return diffusers.CogVideoXVideoToVideoPipeline(
        tokenizer=tokenizer(),
        text_encoder=T5EncoderModel(T5Config(**TEXT)),
        vae=vae,
        transformer=transformer,
        scheduler=diffusers.DDIMScheduler(),
    )


def ltx_condition() -> Any:
    """LTX by conditions: video, prompt; 8k + 1 frames, sides that are multiples of 32."""
    transformer = diffusers.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        patch_size=1,
        patch_size_t=1,
        num_attention_heads=4,
        attention_head_dim=8,
        cross_attention_dim=32,
        num_layers=1,
        caption_channels=32,
    )
    vae = diffusers.AutoencoderKLLTXVideo(
        in_channels=3,
        out_channels=3,
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False, False, False, False, False),
        upsample_residual=(False, False, False, False),
        upsample_factor=(1, 1, 1, 1),
        timestep_conditioning=False,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    vae.use_framewise_encoding = vae.use_framewise_decoding = False
    return diffusers.LTXConditionPipeline(
        transformer=transformer,
        vae=vae,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        text_encoder=T5EncoderModel(T5Config(**TEXT)),
        tokenizer=tokenizer(),
    )


def animatediff_v2v() -> Any:
    """AnimateDiff video to video: video, prompt and strength; any number of frames."""
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(8, 8),
        layers_per_block=2,
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=8,
        norm_num_groups=2,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8),
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=2,
    )
    text = CLIPTextConfig(
        hidden_size=8,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=2,
        vocab_size=64,
        max_position_embeddings=77,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=0,
    )
    adapter = diffusers.MotionAdapter(
        block_out_channels=(8, 8),
        motion_layers_per_block=2,
        motion_norm_num_groups=2,
        motion_num_attention_heads=4,
    )
    words = tokenizer()
    words.model_max_length = 77
    return diffusers.AnimateDiffVideoToVideoPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=words,
        unet=unet,
        motion_adapter=adapter,
        scheduler=diffusers.DDIMScheduler(beta_schedule="linear", clip_sample=False),
    )


MADE = {
    "WanVACEPipeline": wan_vace,
    "WanVideoToVideoPipeline": wan_v2v,
    "CogVideoXVideoToVideoPipeline": cogvideox_v2v,
    "LTXConditionPipeline": ltx_condition,
    "AnimateDiffVideoToVideoPipeline": animatediff_v2v,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "WanVACEPipeline": {
        "frames": {"multiple": 4, "remainder": 1, "max": 17},
        "size": {"multiple": 16},
        "call": {"num_inference_steps": 2, "max_sequence_length": 16},
    },
    "WanVideoToVideoPipeline": {
        "frames": {"multiple": 4, "remainder": 1, "max": 17},
        "size": {"multiple": 16},
        "call": {"num_inference_steps": 2, "strength": 0.6, "max_sequence_length": 16},
    },
    "CogVideoXVideoToVideoPipeline": {
        "frames": {"multiple": 4, "remainder": 1, "max": 9, "overlap": 2},
        "size": {"multiple": 16},
        "call": {"num_inference_steps": 2, "strength": 0.6, "max_sequence_length": 16},
    },
    "LTXConditionPipeline": {
        "frames": {"multiple": 8, "remainder": 1, "max": 17},
        "size": {"multiple": 32},
        "call": {"num_inference_steps": 2, "max_sequence_length": 16},
    },
    "AnimateDiffVideoToVideoPipeline": {
        "frames": {"max": 16},
        "call": {"num_inference_steps": 2, "strength": 0.6},
    },
}
"""Options of `diffusers` for each pipeline, without the model."""


def save(name: str, folder: Path) -> Path:
    """Write a pipeline with weights of a fixed seed; returns the folder."""
    torch.manual_seed(0)
    pipeline = MADE[name]()
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder
