"""Load a backbone from a preset, a folder or a URI."""

import os
from pathlib import Path

import torch

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.backbones.folder import weights_folder
from strmatch.backbones.load_folder import load_folder
from strmatch.presets import PRESETS, load_preset
from strmatch.settings import EditSettings
from strmatch.validation import checks_arguments, did_you_mean
from strmatch.weights.errors import WeightsError
from strmatch.weights.source import ONLINE, Access


@checks_arguments
def load_backbone(
    source: str | os.PathLike[str] = "miniature",
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    settings: EditSettings | None = None,
    compiled: bool = False,
    access: Access = ONLINE,
) -> VideoDiffusion:
    """Load a text-to-video model for editing.

    Args:
        source: a preset ("miniature", "lavie" …), or a folder or any fsspec URI (`s3://…`,
            `hf://…@revision`) in diffusers layout: unet/ (a `LaVieUNet`, `UNet3DConditionModel` or
            `UNetMotionModel`, as named in config.json), vae/, text_encoder/, tokenizer/,
            scheduler/. A remote folder is fetched once into `$STRMATCH_CACHE`
            (default ~/.cache/strmatch). The published model of a preset is converted there.
        device: default: the GPU if available, else the CPU.
        dtype: default: float16 on a GPU, float32 on a CPU.
        settings: default settings of editors; default: those of the preset, else of LaVie.
        compiled: see `VideoDiffusion`.
        access: how weights may be reached.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the device does not exist here, or the dtype is not a floating-point type.
        WeightsError: there is no preset or folder of this name, the weights cannot be found, or
            they do not fit the architecture exactly.
    """
    _check_source(source)
    _check_placement(device, dtype)
    if settings is None:
        settings = load_preset(str(source)).edit if str(source) in PRESETS else EditSettings()
    folder = weights_folder(source, access)
    return load_folder(folder, device=device, dtype=dtype, settings=settings, compiled=compiled)


def _check_source(source: str | os.PathLike[str]) -> None:
    """Raise a WeightsError for a plain name that is neither a preset nor a folder."""
    name, names = os.fspath(source), PRESETS.names()
    if Path(name).name == name and name not in names and not Path(name).exists():
        known, hint = ", ".join(names), did_you_mean(name, names)
        raise WeightsError(f"no preset or folder {name!r}; the presets are {known}{hint}")


def _check_placement(device: str | torch.device | None, dtype: torch.dtype | None) -> None:
    """Raise a ValueError for a device that does not exist here, or a dtype of integers."""
    if dtype is not None and not dtype.is_floating_point:
        raise ValueError(f"dtype must be a floating-point type, got {dtype}")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter without CUDA in torch
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {str(device)!r} cannot be used: {reason}") from None
