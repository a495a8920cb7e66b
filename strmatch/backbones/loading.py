"""Load a backbone from a preset, a folder or a URI."""

import os
from pathlib import Path

import torch

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.backbones.folder import weights_folder
from strmatch.backbones.joint.backbone import JointDiffusion
from strmatch.backbones.load_folder import load_folder
from strmatch.presets import PRESETS, load_preset
from strmatch.settings import EditSettings
from strmatch.validation import check_minimum, checks_arguments, did_you_mean
from strmatch.weights.errors import WeightsError
from strmatch.weights.source import ONLINE, Access


@checks_arguments
def load_backbone(
    source: str | os.PathLike[str] = "miniature",
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    settings: EditSettings | None = None,
    num_frames: int | None = None,
    compiled: bool = False,
    access: Access = ONLINE,
) -> VideoDiffusion | JointDiffusion:
    """Load a text-to-video model for editing.

    Args:
        source: a preset ("miniature", "lavie" …), or a folder or any fsspec URI (`s3://…`,
            `hf://…@revision`) in diffusers layout: unet/ (a `LaVieUNet`, `UNet3DConditionModel` or
            `UNetMotionModel`, as named in config.json) or transformer/ (a `WanTransformer3DModel`
            or `CogVideoXTransformer3DModel`), vae/, text_encoder/, tokenizer/, scheduler/. A remote
            folder is fetched once into `$STRMATCH_CACHE` (default ~/.cache/strmatch). The
            published model of a preset is converted there.
        device: default: the GPU if available, else the CPU.
        dtype: default: on a GPU float16, or bfloat16 of a transformer, and float32 on a CPU.
        settings: default settings of editors; default: those of the preset, else of LaVie.
        num_frames: number of frames of a window in clips that are longer. Default: that of the
            preset, else LaVie's 16.
        compiled: see `VideoDiffusion`.
        access: how weights may be reached.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the device does not exist here, the dtype is not a floating-point type, or
            `num_frames` is below 1.
        WeightsError: there is no preset or folder of this name, the weights cannot be found, or
            they do not fit the architecture exactly.
    """
    _check_source(source)
    _check_placement(device, dtype)
    preset = load_preset(str(source)) if str(source) in PRESETS else None
    if settings is None:
        settings = preset.edit if preset else EditSettings()
    if num_frames is None:
        num_frames = preset.num_frames if preset else 16
    check_minimum(1, num_frames=num_frames)
    return load_folder(
        weights_folder(source, access),
        device=device,
        dtype=dtype,
        settings=settings,
        num_frames=num_frames,
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
