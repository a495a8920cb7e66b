"""Architectures of the embedded models, with initial weights."""

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTokenizer,
    CLIPVisionConfig,
    Sam2VideoConfig,
    Sam2VideoModel,
)

from strmatch.backbones.lavie import LaVieUNet
from strmatch.backbones.lavie_layers import (
    MAX_DISTANCE,
    RelativePositionBias,
    relative_position_buckets,
)
from strmatch.miniature.scenes import WORLD_SIZE

WIDTH = 128
LOOKING_AWAY = 4.0
PRESENT = 4.0
NEARBY = 3.0
BREADTH = 0.4
"""Scale of the frequencies of the positional encoding. With SAM2's default, positions 5 pixels
apart are unrelated, so the corners of a box do not reach the figure inside."""


def make_unet() -> LaVieUNet:
    """LaVie's architecture for 16×16 latents: three levels, heads of 32 channels.

    The down path has no attention at 16×16, which would make a training step a quarter longer
    without changing the loss after 150 steps on single frames (0.30). In every temporal attention,
    one head initially attends to earlier frames and one to later frames. Only relative positions
    distinguish frames, and the model needs their order to tell left from right.
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
    """Autoencoder from 64×64 pixels to 16×16 latents with four channels."""
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
    """CLIP for 64×64 frames in patches of 8×8. Its text tower conditions the UNet.

    Token embeddings are initialised at the scale of a layer's output. With CLIP's default of 0.02,
    colour words dominated words of shape and motion: replacing "circle" by "star" changed the
    output of that token by 30 %, and after 3,000 steps the UNet drew the same blob for all shapes.
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


def make_segmenter() -> Sam2VideoModel:
    """SAM2 for 64×64 frames: patches of 2×2 pixels, masks of 32×32 upsampled by two.

    Logits of 32×32 represent all outlines of the world up to 0.01 % of their area. The memory holds
    the frame of the prompt and three more, and object pointers have no temporal encoding, so that
    training on a few frames generalises to whole clips. The model predicts a single mask, without
    a selection among several.
    """
    grid = WORLD_SIZE // 2
    channels = [32, 64, 96, 128]
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [WORLD_SIZE, WORLD_SIZE],
        "patch_kernel_size": [7, 7],
        "patch_stride": [2, 2],
        "patch_padding": [3, 3],
        "hidden_size": channels[0],
        "embed_dim_per_stage": channels,
        "blocks_per_stage": [1, 1, 2, 1],
        "num_attention_heads_per_stage": [1, 2, 3, 4],
        "window_size_per_stage": [8, 4, 8, 4],
        "global_attention_blocks": [3],
        "mlp_ratio": 2.0,
    }
    config = Sam2VideoConfig(
        image_size=WORLD_SIZE,
        vision_config={
            "backbone_config": backbone,
            "backbone_channel_list": channels[::-1],
            "backbone_feature_sizes": [[grid // n, grid // n] for n in (1, 2, 4)],
            "fpn_hidden_size": WIDTH,
        },
        prompt_encoder_config={"hidden_size": WIDTH, "image_size": WORLD_SIZE, "patch_size": 8},
        mask_decoder_config={
            "hidden_size": WIDTH,
            "mlp_dim": 2 * WIDTH,
            "num_attention_heads": 4,
            "num_multimask_outputs": 0,
            "iou_head_hidden_dim": 32,
            "dynamic_multimask_via_stability": False,
        },
        multimask_output_in_sam=False,
        multimask_output_for_tracking=False,
        num_maskmem=4,
        enable_temporal_pos_encoding_for_object_pointers=False,
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=2 * WIDTH,
        memory_attention_dropout=0.0,
        memory_attention_rope_dropout=0.0,
        memory_attention_rope_feat_sizes=[grid // 4, grid // 4],
        memory_encoder_hidden_size=WIDTH,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=WIDTH,
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=2 * WIDTH,
    )
    model = Sam2VideoModel(config).eval()
    _look_where_prompts_are(model)
    return model


@torch.no_grad()
def _look_where_prompts_are(model: Sam2VideoModel) -> None:
    """Initialise the decoder so that a prompt and the image near it attend to each other.

    With the default initialisation of transformers, boxes hardly affect the masks: after 400
    training steps with two figures per frame, both were marked for any box.
    """
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    for module in (*model.mask_decoder.modules(), *model.prompt_encoder.modules()):
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)
    for name, module in model.mask_decoder.transformer.named_modules():
        if name.endswith(("token_to_image", "image_to_token")):
            module.q_proj.weight *= NEARBY**0.5
            module.k_proj.weight.copy_(module.q_proj.weight)
    # Objects predicted as absent provide no gradient for masks.
    model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(PRESENT)
    frequencies = model.prompt_encoder.shared_embedding.positional_embedding
    frequencies *= BREADTH
    model.shared_image_embedding.positional_embedding.copy_(frequencies)


def make_scheduler(prediction_type: str) -> DDIMScheduler:
    """Scheduler with LaVie's noise schedule.

    Args:
        prediction_type: "epsilon" or "v_prediction".
    """
    return DDIMScheduler(
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        steps_offset=1,
        set_alpha_to_one=False,
        clip_sample=False,
        prediction_type=prediction_type,
    )
