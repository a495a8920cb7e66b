"""Projects the memory of the preset `wan-vace` at full size, without a GPU.

`python -m jobs.benchmark.wan_vace`. Models have the published shapes and no contents. The
projection excludes scratch memory of kernels and fragmentation of the GPU's allocator.
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from jobs.benchmark.memory import peak_bytes, without_contents
from jobs.benchmark.projection import GIGABYTE
from strmatch.presets import load_preset

TOKENS = 512
"""Tokens of a prompt."""


def project(
    frames: int, height: int, width: int, dtype: torch.dtype = torch.bfloat16
) -> dict[str, int]:
    """Returns the bytes of the weights of each model, and the additional peak bytes of each pass.

    Args:
        frames: number of frames of a call, 4k + 1.
        height, width: of a call, pixels, multiples of 16.
        dtype: dtype of weights and activations.
    """
    with without_contents(dtype), torch.no_grad():
        return _project(frames, height, width)


def _project(frames: int, height: int, width: int) -> dict[str, int]:
    text_encoder, transformer, vae = _models()
    latents = torch.empty(1, 16, (frames - 1) // 4 + 1, height // 8, width // 8)
    control = latents.repeat(1, 6, 1, 1, 1)
    text = torch.empty(1, TOKENS, transformer.config.text_dim)
    video = torch.empty(1, 3, frames, height, width)
    tokens = torch.zeros(1, TOKENS, dtype=torch.long)
    passes: dict[str, Callable[[], Any]] = {
        "text encoding": lambda: text_encoder(tokens, torch.ones_like(tokens)),
        "denoising": lambda: transformer(
            hidden_states=latents,
            timestep=torch.zeros(1),
            encoder_hidden_states=text,
            control_hidden_states=control,
            control_hidden_states_scale=torch.ones(len(transformer.config.vace_layers)),
        ),
        "encoding": lambda: vae.encode(video),
        "decoding": lambda: vae.decode(latents),
    }
    weights = {"text encoder": text_encoder, "transformer": transformer, "autoencoder": vae}
    sizes = {
        f"weights of the {name}": sum(each.nbytes for each in model.parameters())
        for name, model in weights.items()
    }
    sizes |= {name: peak_bytes(work) for name, work in passes.items()}
    vae.enable_tiling()
    return sizes | {
        f"{name} in tiles": peak_bytes(passes[name]) for name in ("encoding", "decoding")
    }


def _models() -> tuple[Any, Any, Any]:
    """Text encoder, transformer and autoencoder in the shapes of the published configurations."""
    from diffusers import AutoencoderKLWan, WanVACETransformer3DModel
    from transformers import UMT5Config, UMT5EncoderModel

    text_encoder = UMT5EncoderModel(
        UMT5Config(
            vocab_size=256384,
            d_model=4096,
            d_kv=64,
            d_ff=10240,
            num_layers=24,
            num_heads=64,
            feed_forward_proj="gated-gelu",
        )
    )
    transformer = WanVACETransformer3DModel(
        num_attention_heads=12,
        attention_head_dim=128,
        in_channels=16,
        out_channels=16,
        text_dim=4096,
        ffn_dim=8960,
        num_layers=30,
        vace_layers=list(range(0, 30, 2)),
        vace_in_channels=96,
    )
    return text_encoder.eval(), transformer.eval(), AutoencoderKLWan().eval()


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    clip = load_preset("wan-vace")
    title = f"{clip.num_frames} × {clip.height} × {clip.width}, bfloat16"
    table = Table(title, "GB", box=None, padding=(0, 2))
    for part, size in project(clip.num_frames, clip.height, clip.width).items():
        table.add_row(part, f"{size / GIGABYTE:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
