"""Tiny video transformers of the real classes with random weights, and folders of them."""

import json

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    AutoencoderKLWan,
    CogVideoXDDIMScheduler,
    CogVideoXTransformer3DModel,
    UniPCMultistepScheduler,
    WanTransformer3DModel,
)
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from strmatch.backbones.joint.backbone import JointDiffusion
from strmatch.settings import EditSettings

TEXT_WIDTH = 16
WORDS = ["a", "red", "blue", "circle", "square", "moving", "right"]
SETTINGS = EditSettings(num_inference_steps=4, guidance_scale=3.0, scored_levels=(1, 2))


def tiny_wan(layers=4):
    torch.manual_seed(0)
    return _awake(
        WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=4,
            out_channels=4,
            text_dim=TEXT_WIDTH,
            freq_dim=16,
            ffn_dim=32,
            num_layers=layers,
            rope_max_seq_len=32,
        )
    )


def tiny_cogvideox(layers=4, rotary=True, text_tokens=226):
    torch.manual_seed(0)
    return _awake(
        CogVideoXTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=4,
            out_channels=4,
            time_embed_dim=8,
            text_embed_dim=TEXT_WIDTH,
            num_layers=layers,
            sample_width=8,
            sample_height=8,
            sample_frames=9,
            max_text_seq_length=text_tokens,
            use_rotary_positional_embeddings=rotary,
        )
    )


def _awake(model):
    """Random weights of a size at which attention is far from uniform."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=1.5 * parameter[0].numel() ** -0.5)
    return model.eval().requires_grad_(False)


def tiny_tokenizer():
    words = ["<pad>", "</s>", "<unk>", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def _text_encoder(cls, config_class):
    config = config_class(
        vocab_size=len(WORDS) + 3, d_model=TEXT_WIDTH, d_kv=8, d_ff=32, num_layers=1, num_heads=2
    )
    return _awake(cls(config))


def wan_parts(layers=4):
    torch.manual_seed(0)
    vae = AutoencoderKLWan(
        base_dim=4,
        z_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.1, -0.2, 0.3, 0.0],
        latents_std=[1.5, 0.8, 1.1, 2.0],
    )
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    text_encoder = _text_encoder(UMT5EncoderModel, UMT5Config)
    return tiny_wan(layers), vae.eval(), text_encoder, tiny_tokenizer(), scheduler


def cogvideox_parts(rotary=True, layers=4):
    torch.manual_seed(0)
    vae = AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
        scaling_factor=1.15258426,
    )
    scheduler = CogVideoXDDIMScheduler(
        prediction_type="v_prediction",
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        rescale_betas_zero_snr=True,
        snr_shift_scale=3.0,
        timestep_spacing="trailing",
    )
    text_encoder = _text_encoder(T5EncoderModel, T5Config)
    return tiny_cogvideox(layers, rotary), vae.eval(), text_encoder, tiny_tokenizer(), scheduler


PARTS = {"wan": wan_parts, "cogvideox": cogvideox_parts}
NAMES = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")


def tiny_joint(name, dtype=torch.float64, settings=SETTINGS):
    modules = [part.to(dtype) if hasattr(part, "to") else part for part in PARTS[name]()]
    return JointDiffusion(*modules, settings, num_frames=9)


def save_joint(name, folder, layers=4, **options):
    """Write the layout in which diffusers publishes a pipeline.

    Args:
        options: further arguments of the transformer's `save_pretrained`.
    """
    for part, each in zip(NAMES, PARTS[name](layers=layers), strict=True):
        each.save_pretrained(folder / part, **(options if part == "transformer" else {}))
    index = {part: ["diffusers", "?"] for part in NAMES}
    (folder / "model_index.json").write_text(json.dumps(index))
