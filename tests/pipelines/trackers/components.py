"""Small models of the real architectures with random weights, saved in the real formats."""

import json
import re
from pathlib import Path

import torch
from transformers import (
    BertTokenizer,
    CLIPTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    GroundingDinoProcessor,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessorPil,
    Owlv2Processor,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam3VideoConfig,
    Sam3VideoModel,
)

from strmatch.miniature.tokenizer import make_tokenizer

IMAGE = 128
"""Side of the square that the small SAM2 sees."""

PACKAGE_OVERRIDES = [
    f"++model.{override}"
    for override in f"""
    image_size={IMAGE}
    image_encoder.trunk.embed_dim=8
    image_encoder.trunk.stages=[1,2,2,1]
    image_encoder.trunk.global_att_blocks=[2,4]
    image_encoder.neck.d_model=128
    image_encoder.neck.position_encoding.num_pos_feats=128
    image_encoder.neck.backbone_channel_list=[64,32,16,8]
    memory_attention.d_model=128
    memory_attention.num_layers=1
    memory_attention.layer.d_model=128
    memory_attention.layer.dim_feedforward=128
    memory_attention.layer.self_attention.embedding_dim=128
    memory_attention.layer.self_attention.feat_sizes=[8,8]
    memory_attention.layer.cross_attention.embedding_dim=128
    memory_attention.layer.cross_attention.kv_in_dim=64
    memory_attention.layer.cross_attention.feat_sizes=[8,8]
    memory_encoder.in_dim=128
    memory_encoder.out_dim=64
    memory_encoder.position_encoding.num_pos_feats=64
    memory_encoder.mask_downsampler.embed_dim=128
    memory_encoder.fuser.layer.dim=128
    """.split()
]
"""Make of the package's tiny model the same that `small_sam2` is."""


def small_sam2() -> Sam2VideoModel:
    torch.manual_seed(0)
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [IMAGE, IMAGE],
        "hidden_size": 8,
        "blocks_per_stage": [1, 2, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "global_attention_blocks": [2, 4],
    }
    config = Sam2VideoConfig(
        image_size=IMAGE,
        vision_config={
            "backbone_config": backbone,
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[IMAGE // n, IMAGE // n] for n in (4, 8, 16)],
            "fpn_hidden_size": 128,
        },
        prompt_encoder_config={"hidden_size": 128, "image_size": IMAGE},
        mask_decoder_config={"hidden_size": 128},
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=128,
        memory_attention_rope_feat_sizes=[8, 8],
        memory_encoder_hidden_size=128,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=512,
    )
    model = Sam2VideoModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Initial values of transformers are so near to 0 that no input would change a mask.
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                torch.nn.init.normal_(parameter, std=max(fan_in**-0.5, 0.2))
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(9)  # always detects an object
        model.shared_image_embedding.positional_embedding.copy_(
            model.prompt_encoder.shared_embedding.positional_embedding
        )
    return model


PACKAGE_NAMES = (
    # the heads' three layers
    (r"(iou_prediction_head|pred_obj_score_head|obj_ptr_proj|mlps\.\d)\.layers\.0", r"\1.proj_in"),
    (r"(iou_prediction_head|pred_obj_score_head|obj_ptr_proj|mlps\.\d)\.layers\.1", r"\1.layers.0"),
    (r"(iou_prediction_head|pred_obj_score_head|obj_ptr_proj|mlps\.\d)\.layers\.2", r"\1.proj_out"),
    (r"mlp\.layers\.0", "mlp.proj_in"),
    (r"mlp\.layers\.1", "mlp.proj_out"),
    # vision
    (r"^image_encoder\.neck\.convs\.(\d)\.conv", r"vision_encoder.neck.convs.\1"),
    (r"^image_encoder\.trunk", "vision_encoder.backbone"),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    # prompt encoder and mask decoder
    (r"^sam_", ""),
    (r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    (r"mask_downscaling\.0", "mask_embed.conv1"),
    (r"mask_downscaling\.1", "mask_embed.layer_norm1"),
    (r"mask_downscaling\.3", "mask_embed.conv2"),
    (r"mask_downscaling\.4", "mask_embed.layer_norm2"),
    (r"mask_downscaling\.6", "mask_embed.conv3"),
    (r"output_upscaling\.0", "upscale_conv1"),
    (r"output_upscaling\.1", "upscale_layer_norm"),
    (r"output_upscaling\.3", "upscale_conv2"),
    # memory
    (r"^memory_encoder\.out_proj", "memory_encoder.projection"),
    (r"out_proj", "o_proj"),
    (r"pix_feat_proj", "feature_projection"),
    (r"encoder\.12\.", "final_conv."),
    (r"encoder\.([0369])\.", lambda m: f"layers.{int(m[1]) // 3}.conv."),
    (r"encoder\.(1|4|7|10)\.", lambda m: f"layers.{int(m[1]) // 3}.layer_norm."),
    (r"fuser", "memory_fuser"),
    (r"gamma", "scale"),
    (r"dwconv", "depthwise_conv"),
    (r"pwconv", "pointwise_conv"),
    (r"\.norm", ".layer_norm"),
    (r"^maskmem_tpos_enc", "memory_temporal_positional_encoding"),
    (r"^no_mem_embed", "no_memory_embedding"),
    (r"^no_mem_pos_enc", "no_memory_positional_encoding"),
    (r"^no_obj_ptr", "no_object_pointer"),
    (r"^no_obj_embed_spatial", "occlusion_spatial_embedding_parameter"),
    (r"^obj_ptr_tpos_proj", "temporal_positional_encoding_projection_layer"),
    (r"^obj_ptr_proj", "object_pointer_proj"),
)
"""The package's names of tensors as transformers', in this order."""


def package_checkpoint(model: Sam2VideoModel, names: list[str]) -> dict[str, torch.Tensor]:
    """The weights of `model` under the names of the package `sam2`."""
    weights = model.state_dict()
    result = {}
    for name in names:
        theirs = name
        for pattern, replacement in PACKAGE_NAMES:
            theirs = re.sub(pattern, replacement, theirs)
        embedding = re.fullmatch(r"prompt_encoder\.point_embeddings\.(\d)\.weight", theirs)
        if embedding:
            result[name] = weights["prompt_encoder.point_embed.weight"][int(embedding[1])][None]
        else:
            result[name] = weights[theirs]
    return result


def save_sam2_package(folder: Path) -> None:
    """The weights of `small_sam2` in the format of SAM2's authors."""
    from sam2.build_sam import build_sam2_video_predictor

    predictor = build_sam2_video_predictor(
        "configs/sam2.1/sam2.1_hiera_t.yaml", device="cpu", hydra_overrides_extra=PACKAGE_OVERRIDES
    )
    tensors = package_checkpoint(small_sam2(), list(predictor.state_dict()))
    folder.mkdir(exist_ok=True)
    torch.save({"model": tensors}, folder / "sam2.1_hiera_tiny.pt")


SAM3_IMAGE, SAM3_PATCH = 112, 14
"""Side of the square that the small SAM3 sees, and of a patch."""


def save_sam3(folder: Path) -> None:
    """A SAM3 for videos with random weights, which detects something for every phrase."""
    torch.manual_seed(0)
    width, grid = 128, SAM3_IMAGE // SAM3_PATCH
    tokenizer: CLIPTokenizer = make_tokenizer()
    backbone = {
        "model_type": "sam3_vit_model",
        **{"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2},
        **{"num_attention_heads": 2, "window_size": 4, "global_attn_indexes": [1]},
        **{"image_size": SAM3_IMAGE, "pretrain_image_size": SAM3_IMAGE, "patch_size": SAM3_PATCH},
    }
    vision = {
        "model_type": "sam3_vision_model",
        "backbone_config": backbone,
        "fpn_hidden_size": width,
        "backbone_feature_sizes": [[n * grid, n * grid] for n in (4, 2, 1)],
    }
    text = {
        "model_type": "clip_text_model",
        **{"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1},
        **{"num_attention_heads": 2, "projection_dim": 16, "max_position_embeddings": 32},
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    small = {"hidden_size": width, "num_attention_heads": 2, "intermediate_size": 64}
    detector = {
        "model_type": "sam3",
        "vision_config": vision,
        "text_config": text,
        "geometry_encoder_config": small | {"num_layers": 1},
        "detr_encoder_config": small | {"num_layers": 1},
        "detr_decoder_config": small | {"num_layers": 1, "num_queries": 2},
        "mask_decoder_config": {"hidden_size": width, "num_attention_heads": 2},
    }
    tracker = {
        "model_type": "sam3_tracker_video",
        "vision_config": vision,
        "image_size": SAM3_IMAGE,
        "prompt_encoder_config": {
            **{"hidden_size": width, "image_size": SAM3_IMAGE, "patch_size": SAM3_PATCH},
        },
        "mask_decoder_config": {"hidden_size": width, "mlp_dim": 64, "num_attention_heads": 2},
        "memory_attention_hidden_size": width,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 64,
        "memory_attention_rope_feat_sizes": [grid, grid],
        "memory_encoder_hidden_size": width,
        "memory_encoder_output_channels": 64,
        "mask_downsampler_embed_dim": width,
        "memory_fuser_embed_dim": width,
        "memory_fuser_intermediate_dim": 64,
    }
    config = Sam3VideoConfig(
        detector_config=detector,
        tracker_config=tracker,
        low_res_mask_size=4 * grid,
        score_threshold_detection=0.0,
        new_det_thresh=0.0,
    )
    Sam3VideoModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


PATCHES = 4
"""The small detector says one box for each of PATCHES × PATCHES patches of its square."""


def save_owlv2(folder) -> None:
    """An OWLv2 whose boxes equal its patches, with random scores."""
    torch.manual_seed(0)
    tokenizer: CLIPTokenizer = make_tokenizer()
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    config = Owlv2Config(
        text_config={
            **sizes,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": tokenizer.model_max_length,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={**sizes, "image_size": 16 * PATCHES, "patch_size": 16},
        projection_dim=32,
    )
    model = Owlv2ForObjectDetection(config)
    with torch.no_grad():
        model.box_head.dense2.weight.zero_()
        model.box_head.dense2.bias.zero_()
    model.save_pretrained(folder)
    size = {"height": 16 * PATCHES, "width": 16 * PATCHES}
    Owlv2Processor(Owlv2ImageProcessorPil(size=size), tokenizer).save_pretrained(folder)
    name_as_published(folder, "Owlv2")


def save_grounding_dino(folder) -> None:
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?"]
    words += ["a", "red", "blue", "circle", "square"]
    tokenizer = BertTokenizer(vocab={word: index for index, word in enumerate(words)})
    sizes = {
        "encoder_layers": 1,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
    }
    config = GroundingDinoConfig(
        backbone_config={
            "model_type": "swin",
            "image_size": 64,
            "embed_dim": 8,
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 2, 2],
            "window_size": 4,
            "out_features": ["stage2", "stage3", "stage4"],
        },
        text_config={
            "model_type": "bert",
            "vocab_size": len(words),
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 64,
        },
        d_model=32,
        num_queries=10,
        **sizes,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    size = {"shortest_edge": 64, "longest_edge": 96}
    processor = GroundingDinoProcessor(GroundingDinoImageProcessorPil(size=size), tokenizer)
    processor.save_pretrained(folder)
    name_as_published(folder, "GroundingDino")


def name_as_published(folder, model: str) -> None:
    """On the hub, preprocessing classes are named without `Pil`, in a separate file."""
    saved = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    names = {
        "image_processor_type": f"{model}ImageProcessor",
        "processor_class": f"{model}Processor",
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(saved | names))
    (folder / "processor_config.json").unlink()
