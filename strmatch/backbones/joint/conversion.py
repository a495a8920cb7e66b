"""Convert published video transformers to folders that `load_backbone` reads."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from strmatch.backbones.joint.load import denoiser_class
from strmatch.weights.checkpoint import read_tensors
from strmatch.weights.errors import WeightsError

NARROWED = ("transformer", "text_encoder")
COPIED = ("vae", "tokenizer", "scheduler")
DTYPE = torch.bfloat16
"""Replaces float32."""


def convert_transformer(checkpoint: Path, base: Path | None, folder: Path) -> None:
    """Convert a video transformer that was published in diffusers layout, file by file.

    Transformer and text encoder are written in 16 bits, except for modules that diffusers keeps in
    float32. The other parts are copied.

    Args:
        checkpoint: the published folder.
        base: None, because all parts are published together.
        folder: an empty folder to write to.

    Raises:
        WeightsError: a part is missing, or is of an unknown class.
    """
    for part in (*NARROWED, *COPIED):
        if not (checkpoint / part).is_dir():
            raise WeightsError(f"{checkpoint} has no {part}/")
    exact = set(denoiser_class(checkpoint / "transformer")._keep_in_fp32_modules or ())
    for part in COPIED:
        shutil.copytree(checkpoint / part, folder / part)
    for part in NARROWED:
        _narrow(checkpoint / part, folder / part, exact if part == "transformer" else set())


def _narrow(source: Path, target: Path, exact: set[str]) -> None:
    """Write the files of a part, with 16 bits where float32 was, one file after the other."""
    target.mkdir()
    size = 0
    for path in sorted(source.glob("*.safetensors")):
        tensors = {
            name: _as_written(tensor, exact & set(name.split(".")))
            for name, tensor in read_tensors(path).items()
        }
        size += sum(tensor.nbytes for tensor in tensors.values())
        save_file(tensors, target / path.name, {"format": "pt"})
    for path in source.glob("*.json"):
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if "weight_map" in content:
            content["metadata"] = {"total_size": size}
        (target / path.name).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _as_written(tensor: Tensor, exact: set[str]) -> Tensor:
    return tensor if exact or tensor.dtype != torch.float32 else tensor.to(DTYPE)
