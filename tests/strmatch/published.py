"""Tiny models in the formats of the hub: old names, pickles, tokenizers of two files."""

import json

import torch
from diffusers import MotionAdapter, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from strmatch.backbones.lavie import LaVieUNet
from tests.strmatch.tiny import WIDTHS, tiny_backbone, tiny_unet3d, wake

OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
TENSORS = "diffusion_pytorch_model.safetensors"


def lavie_tensors():
    """All keys of `lavie_base.pt`, at a fraction of its width."""
    torch.manual_seed(0)
    unet = LaVieUNet(
        block_out_channels=(32, 64, 96, 96),
        cross_attention_dim=32,
        attention_head_dim=(1, 2, 3, 3),
    )
    return wake(unet).state_dict()


def save_lavie(tensors, path, zipped=True):
    content = {"ema": tensors}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def save_stable_diffusion(folder, unet=False):
    """Write the VAE, text encoder and tokenizer of Stable Diffusion 1, and optionally the UNet."""
    backbone = tiny_backbone(dtype=torch.float32)
    backbone.vae.save_pretrained(folder / "vae")
    tensors = load_file(folder / "vae" / TENSORS)
    for new, old in OLD_NAMES.items():
        tensors = {name.replace(f".{new}.", f".{old}."): t for name, t in tensors.items()}
    save_file(tensors, folder / "vae" / TENSORS, {"format": "pt"})

    backbone.text_encoder.save_pretrained(folder / "text_encoder")
    tensors = load_file(folder / "text_encoder/model.safetensors")
    tensors = {f"text_model.{name}": tensor for name, tensor in tensors.items()}
    positions = len(tensors["text_model.embeddings.position_embedding.weight"])
    tensors["text_model.embeddings.position_ids"] = torch.arange(positions)[None]
    save_file(tensors, folder / "text_encoder/model.safetensors", {"format": "pt"})

    backbone.tokenizer.save_pretrained(folder / "tokenizer")
    file = folder / "tokenizer/tokenizer.json"
    model = json.loads(file.read_text())["model"]
    file.unlink()
    (folder / "tokenizer/vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "tokenizer/merges.txt").write_text("\n".join(["#version: 0.2", *merges]))

    if unet:
        torch.manual_seed(1)
        image_unet = UNet2DConditionModel(
            **WIDTHS,
            down_block_types=("CrossAttnDownBlock2D",) * 2,
            up_block_types=("CrossAttnUpBlock2D",) * 2,
            attention_head_dim=2,
        )
        image_unet.save_pretrained(folder / "unet")
    return backbone


def save_zeroscope(folder):
    """Write all parts together as pickles."""
    backbone = save_stable_diffusion(folder)
    backbone.scheduler.save_pretrained(folder / "scheduler")
    torch.manual_seed(2)
    unet = wake(tiny_unet3d())
    unet.save_config(folder / "unet")
    torch.save(unet.state_dict(), folder / "unet/diffusion_pytorch_model.bin")
    for part, old in (("vae", TENSORS), ("text_encoder", "model.safetensors")):
        tensors = load_file(folder / part / old)
        (folder / part / old).unlink()
        new = (
            "pytorch_model.bin" if part == "text_encoder" else TENSORS.replace("safetensors", "bin")
        )
        torch.save(tensors, folder / part / new)
    return unet


def save_motion_adapter(folder):
    torch.manual_seed(3)
    adapter = MotionAdapter(
        block_out_channels=WIDTHS["block_out_channels"],
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
    )
    wake(adapter).save_pretrained(folder)
    return adapter
