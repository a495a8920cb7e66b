"""Load a backbone from a preset, a folder or a URI, strictly and without pickles."""

import json
import os
from pathlib import Path

import torch

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.presets import PRESETS, load_preset
from strmatch.registry import Registry
from strmatch.settings import EditSettings
from strmatch.validation import checks_arguments, did_you_mean
from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import weights_folder
from strmatch.weights.manifest import weights_revision
from strmatch.weights.strict import best_device, load_strictly

UNETS = Registry(
    "backbone",
    {
        "LaVieUNet": "strmatch.backbones.lavie:LaVieUNet",
        "UNet3DConditionModel": "diffusers:UNet3DConditionModel",
        "UNetMotionModel": "diffusers:UNetMotionModel",
    },
)
"""UNet classes by the `_class_name` of their config.json, loaded by `from_pretrained`. Classes of
diffusers are wrapped. A class of another package implements `strmatch.backbones.base.UNet`."""


@checks_arguments
def load_backbone(
    source: str | os.PathLike[str] = "miniature",
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    settings: EditSettings | None = None,
    compiled: bool = False,
) -> VideoDiffusion:
    """Load a text-to-video model for editing.

    Args:
        source: a preset ("miniature", "lavie" …), or a folder or any fsspec URI (`s3://…`,
            `hf://…@revision`) in diffusers layout: unet/ (a `LaVieUNet`, `UNet3DConditionModel` or
            `UNetMotionModel`, as named in config.json), vae/, text_encoder/, tokenizer/,
            scheduler/. A remote folder is fetched once into `$STRMATCH_CACHE`
            (default ~/.cache/strmatch).
        device: default: the GPU if available, else the CPU.
        dtype: default: float16 on a GPU, float32 on a CPU.
        settings: default settings of editors; default: those of the preset, else of LaVie.
        compiled: see `VideoDiffusion`.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the device does not exist here, or the dtype is not a floating-point type.
        WeightsError: there is no preset or folder of this name, the weights cannot be found, or
            they do not fit the architecture exactly.
    """
    _check_source(source)
    _check_placement(device, dtype)
    # Imported here so that `import strmatch` requires only torch.
    from diffusers import AutoencoderKL, DDIMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer

    if settings is None:
        settings = load_preset(str(source)).edit if str(source) in PRESETS else EditSettings()
    folder = weights_folder(source)
    device = best_device(device)
    dtype = dtype or (torch.float16 if device.type == "cuda" else torch.float32)
    return VideoDiffusion(
        unet=_load_unet(folder / "unet", dtype).to(device),
        vae=load_strictly(AutoencoderKL, folder / "vae", dtype).to(device),
        text_encoder=load_strictly(CLIPTextModel, folder / "text_encoder", dtype).to(device),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
        settings=settings,
        revision=weights_revision(folder),
        compiled=compiled,
    )


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


def _load_unet(folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    """Load the UNet of the class that its config.json names.

    Raises:
        WeightsError: the class is unknown, or the weights do not fit.
    """
    from strmatch.backbones.factorised import TEMPORAL, FactorisedUNet

    try:
        name = json.loads((folder / "config.json").read_text("utf-8")).get("_class_name")
    except (OSError, ValueError) as error:
        raise WeightsError(f"cannot read {folder}/config.json: {error}") from error
    if name not in UNETS:
        known = ", ".join(UNETS.names())
        raise WeightsError(
            f"{folder}/config.json: _class_name must be one of {known}, got {name!r}"
        )
    unet = load_strictly(UNETS.load(name), folder, dtype)
    try:
        return FactorisedUNet(unet) if name in TEMPORAL else unet
    except ValueError as error:
        raise WeightsError(f"{folder}: {error}") from error
