"""Projects an edit by STR-Match on Wan and CogVideoX at full size: memory, and operations.

Tensors have the shapes of the published transformers and no contents, so that no GPU is needed.
Latents are those of a clip of the preset. The autoencoder is not included, nor are scratch memory
of kernels and fragmentation of the GPU's allocator.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from rich.table import Table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from jobs.benchmark.memory import peak_bytes, without_contents
from strmatch.backbones.joint.backbone import JointDiffusion
from strmatch.backbones.texts import T5_TOKENS, UMT5_TOKENS
from strmatch.guidance import guided_prediction
from strmatch.matching import Matcher
from strmatch.presets import load_preset

BF16_RATE = 400e12
"""Operations a second that the projected seconds assume: two fifths of the peak of an H100."""


@dataclass(frozen=True)
class Size:
    """A published transformer."""

    preset: str
    """The preset that has the clip and the settings of the edit."""
    config: dict[str, Any]
    """Where it departs from the defaults of its class in diffusers."""


WAN = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
COGVIDEOX = {"sample_height": 60, "sample_width": 90}
SIZES = {
    "wan": Size("wan", WAN),
    "wan-14b": Size("wan", {"num_attention_heads": 40, "ffn_dim": 13824, "num_layers": 40}),
    "cogvideox": Size("cogvideox", COGVIDEOX),
    "cogvideox-5b": Size(
        "cogvideox",
        COGVIDEOX
        | {"num_attention_heads": 48, "num_layers": 42, "use_rotary_positional_embeddings": True},
    ),
}


def project(size: Size) -> dict[str, Any]:
    """Project the parts of an edit in bfloat16.

    Returns:
        steps: denoising steps of the edit.
        bytes: those of the transformer's weights, of the latents of all steps, of Ω_src of a step,
            and the additional peak of each pass.
        operations: floating-point operations of products, convolutions and attention of each pass,
            and of an inversion with its first edit, normal and lean.
    """
    with without_contents(torch.bfloat16):
        return project_backbone(*_backbone(size))


def project_backbone(
    backbone: JointDiffusion, latents: Tensor, embeddings: Sequence[Tensor]
) -> dict[str, Any]:
    """See `project`.

    Args:
        backbone: a model.
        latents: (1, c, f, h, w), of a clip.
        embeddings: source and target, (1, tokens, d) each.
    """
    source, target = embeddings
    settings = backbone.settings
    matcher, lean = (Matcher(backbone, settings, recompute) for recompute in (False, True))
    with torch.no_grad():
        features = matcher.features(latents, 500.0, source)
    scale = settings.guidance_scale
    passes: dict[str, Callable[[], Any]] = {
        "inversion": lambda: backbone.predict(latents, 500.0, source),
        "Ω_src": lambda: matcher.features(latents, 500.0, source),
        "score pass": lambda: matcher.loss_and_gradient(latents, 500.0, [target], features),
        "score pass, lean": lambda: lean.loss_and_gradient(latents, 500.0, [target], features),
        "denoising": lambda: guided_prediction(backbone, latents, 500.0, source, target, scale),
    }
    with torch.no_grad():
        peaks = {name: peak_bytes(work) for name, work in passes.items()}
        # Counted apart: the counter extends the lifetime of tensors.
        operations = {name: _operations(work) for name, work in passes.items()}
    steps = settings.num_inference_steps
    # Ω_src has a pass of its own: the inversion labels a step by the level that the step enters.
    shared = sum(operations[name] for name in ("inversion", "Ω_src", "denoising"))
    for name, score in (("edit", "score pass"), ("edit, lean", "score pass, lean")):
        operations[name] = steps * (shared + operations[score])
    held = {
        "weights": sum(weight.nbytes for weight in backbone.transformer.parameters()),
        "latents of all steps": (steps + 1) * latents.nbytes,
        "Ω_src of a step": sum(each.nbytes for each in features),
    }
    return {"steps": steps, "bytes": held | peaks, "operations": operations}


def projected_table(name: str, projected: dict[str, Any]) -> Table:
    """A table with a row for each part: GB, TFLOP, and seconds at `BF16_RATE`."""
    columns = ("GB", "TFLOP", f"seconds at {BF16_RATE / 1e12:.0f} TFLOP/s")
    table = Table(f"{name}, projected", *columns, box=None, padding=(0, 2))
    sizes, operations = projected["bytes"], projected["operations"]
    for part in sizes | operations:
        size, count = sizes.get(part), operations.get(part)
        table.add_row(
            part,
            "" if size is None else f"{size / 1e9:.2f}",
            "" if count is None else f"{count / 1e12:.0f}",
            "" if count is None else f"{count / BF16_RATE:.1f}",
        )
    return table


def _operations(work: Callable[[], Any]) -> int:
    """Operations of forward and backward passes. PyTorch does not count attention on a CPU."""
    aten = torch.ops.aten
    attention = {
        aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(
            q, k, v
        ),
        aten._scaled_dot_product_flash_attention_for_cpu_backward: lambda grad, q, k, v, *_, **__: (
            sdpa_backward_flop_count(grad, q, k, v)
        ),
    }
    with FlopCounterMode(display=False, custom_mapping=attention) as counter:
        work()
    return int(counter.get_total_flops())


def _backbone(size: Size) -> tuple[JointDiffusion, Tensor, list[Tensor]]:
    """The model without contents, latents of a clip, and embeddings of two prompts."""
    import diffusers
    import transformers

    preset = load_preset(size.preset)
    transformer: Any
    if size.preset == "wan":
        transformer = diffusers.WanTransformer3DModel(**size.config)
        vae, tokens = diffusers.AutoencoderKLWan(), UMT5_TOKENS
        encoder = transformers.UMT5EncoderModel(transformers.UMT5Config(num_layers=1))
    else:
        transformer = diffusers.CogVideoXTransformer3DModel(**size.config)
        vae, tokens = diffusers.AutoencoderKLCogVideoX(), T5_TOKENS
        encoder = transformers.T5EncoderModel(transformers.T5Config(num_layers=1))
    transformer.eval().requires_grad_(False)
    absent = None, None  # a tokenizer and a scheduler: neither are prompts read nor levels computed
    parts = (transformer, vae, encoder, *absent)
    backbone = JointDiffusion(*parts, preset.edit, num_frames=preset.num_frames)
    frames = backbone.latent_frames(preset.num_frames)
    factor = backbone.pixel_size(1, 1)[0]
    latents = torch.empty(
        *(1, transformer.config.in_channels, frames),
        *(preset.height // factor, preset.width // factor),
        dtype=torch.float32,
    )
    return backbone, latents, [torch.empty(1, tokens, backbone.text_width) for _ in range(2)]
