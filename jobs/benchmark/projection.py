"""Projects the memory of an edit at full size, without a GPU.

`python -m jobs.benchmark.projection lavie zeroscope`. `--frames 480` projects a longer clip.
Tensors have shapes and no contents. The projection excludes scratch memory of kernels and
fragmentation of the GPU's allocator.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from jobs.benchmark.memory import peak_bytes, without_contents
from jobs.benchmark.models import MODELS, SOURCE, TARGETS, Model
from strmatch.backbones import latent_diffusion
from strmatch.backbones.autoencoders import FRAMES_AT_ONCE
from strmatch.guidance import guided_prediction
from strmatch.matching import Matcher
from strmatch.sampling.fusion import clip_windows, fuse, of_window

GIGABYTE = 1e9


def project(
    make: Callable[[], Model], dtype: torch.dtype = torch.float16, frames: int | None = None
) -> dict[str, int]:
    """Returns the bytes of a model's weights and the additional peak bytes of each part of an edit.

    Args:
        make: builds the model, see `MODELS`. No memory is allocated for it.
        dtype: dtype of the weights.
        frames: number of frames of the clip. None: one window.
    """
    with without_contents(dtype), _unchecked():
        return _project(make(), frames)


@contextmanager
def _unchecked() -> Iterator[None]:
    """Skip the check for finite values inside the block: fake tensors have no values."""
    check = latent_diffusion.check_finite
    latent_diffusion.check_finite = lambda what, tensor: None
    try:
        yield
    finally:
        latent_diffusion.check_finite = check


def _project(model: Model, frames: int | None) -> dict[str, int]:
    backbone = model.backbone
    length, *size = model.frames.shape
    clip = np.resize(model.frames, (frames or length, *size))
    backbone.scheduler.alphas_cumprod = [0.5] * 1000  # fake tensors have no values
    matcher, lean = (Matcher(backbone, backbone.settings, lean) for lean in (False, True))
    latents = backbone.encode(clip)
    windows = clip_windows(latents, backbone, backbone.settings)
    ends = windows[:1] + windows[1:][-1:]  # all windows need equal memory
    source, target = backbone.embed(SOURCE), backbone.embed(TARGETS[0])
    features = matcher.features(of_window(latents, windows[0]), 500, source)
    chunk = latents[0].transpose(0, 1)[:FRAMES_AT_ONCE].to(backbone.dtype)
    parts: dict[str, Callable[[], object]] = {
        "encoding": lambda: backbone.encode(clip),
        "inversion": lambda: fuse(
            ends,
            (
                matcher.prediction_and_features(of_window(latents, window), 500, source)[0]
                for window in ends
            ),
        ),
        "score pass": lambda: matcher.fused_loss_and_gradient(
            latents, 500, [target], [features] * len(ends), ends
        ),
        "score pass, lean": lambda: lean.fused_loss_and_gradient(
            latents, 500, [target], [features] * len(ends), ends
        ),
        "denoising": lambda: guided_prediction(backbone, latents, 500, source, target, 7.5, ends),
        "decoding": lambda: backbone.vae.decode(chunk),
    }
    modules = (backbone.unet, backbone.vae, backbone.text_encoder)
    weights = [weight for module in modules for weight in module.parameters()]
    sizes = {
        "weights": sum(weight.nbytes for weight in weights),
        "frames": clip.nbytes,
        "latents of all steps": (model.steps + 1) * latents.nbytes,
        "Ω_src of a step": len(windows) * sum(tensor.nbytes for tensor in features),
    }
    with torch.no_grad():
        return sizes | {name: peak_bytes(work) for name, work in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", choices=MODELS)
    parser.add_argument("--frames", type=int, help="frames of the clip; default: one window")
    given = parser.parse_args()
    for name in given.models:
        table = Table(name, "GB", box=None, padding=(0, 2))
        for part, size in project(MODELS[name], frames=given.frames).items():
            table.add_row(part, f"{size / GIGABYTE:.2f}")
        Console().print(table, "")


if __name__ == "__main__":
    main()
