"""Load the model in a local folder, strictly and without pickles."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.backbones.joint.backbone import JointDiffusion
from strmatch.backbones.joint.load import is_joint, load_joint
from strmatch.registry import Registry
from strmatch.settings import EditSettings
from strmatch.weights.errors import WeightsError
from strmatch.weights.manifest import weights_revision
from strmatch.weights.strict import best_device, load_strictly, read_config

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


def load_folder(
    folder: Path,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    settings: EditSettings | None = None,
    num_frames: int = 16,
    compiled: bool = False,
) -> VideoDiffusion | JointDiffusion:
    """Load the model in a local folder: see `load_backbone`.

    Raises:
        WeightsError: a part cannot be read, or does not fit the architecture exactly.
    """
    load = load_joint if is_joint(folder) else _load_factorised
    return load(
        folder,
        device=device,
        dtype=dtype,
        settings=settings or EditSettings(),
        num_frames=num_frames,
        compiled=compiled,
    )


def _load_factorised(
    folder: Path,
    *,
    device: str | torch.device | None,
    dtype: torch.dtype | None,
    settings: EditSettings,
    num_frames: int,
    compiled: bool,
) -> VideoDiffusion:
    # Imported here so that `import strmatch` requires only torch.
    from diffusers import AutoencoderKL, DDIMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer

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
        num_frames=num_frames,
        compiled=compiled,
    )


def build_untrained(folder: Path) -> VideoDiffusion:
    """The factorised model in a local folder with random weights, for a projection of its memory.

    Raises:
        WeightsError: the class of the UNet is unknown.
    """
    from diffusers import AutoencoderKL, DDIMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    cls, wrap = _unet_class(folder / "unet")
    return VideoDiffusion(
        unet=wrap(cls.from_config(cls.load_config(folder / "unet"))),
        vae=AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae")),
        text_encoder=CLIPTextModel(CLIPTextConfig.from_pretrained(folder / "text_encoder")),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
        settings=EditSettings(),
    )


def _load_unet(folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    """Load the UNet of the class that its config.json names.

    Raises:
        WeightsError: the class is unknown, or the weights do not fit.
    """
    cls, wrap = _unet_class(folder)
    unet = load_strictly(cls, folder, dtype)
    try:
        return wrap(unet)
    except ValueError as error:
        raise WeightsError(f"{folder}: {error}") from error


def _unet_class(folder: Path) -> tuple[Any, Callable[[Any], torch.nn.Module]]:
    """The class that the config.json of a UNet names, and what makes a UNet of an instance.

    Raises:
        WeightsError: the class is unknown.
    """
    from strmatch.backbones.factorised import TEMPORAL, FactorisedUNet

    name: Any = read_config(folder / "config.json").get("_class_name")
    if name not in UNETS:
        known = ", ".join(UNETS.names())
        raise WeightsError(
            f"{folder}/config.json: _class_name must be one of {known}, got {name!r}"
        )
    return UNETS.load(name), FactorisedUNet if name in TEMPORAL else lambda unet: unet
