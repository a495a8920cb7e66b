"""Load the video transformer in a local folder, strictly and without pickles."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from strmatch.backbones.autoencoders import AUTOENCODERS
from strmatch.backbones.joint.backbone import JointDiffusion
from strmatch.backbones.joint.denoisers import DENOISERS
from strmatch.backbones.texts import TEXTS
from strmatch.settings import EditSettings
from strmatch.weights.errors import WeightsError
from strmatch.weights.manifest import weights_revision
from strmatch.weights.strict import best_device, load_strictly, read_config

SCHEDULERS = (
    *("FlowMatchEulerDiscreteScheduler", "UniPCMultistepScheduler"),
    *("CogVideoXDDIMScheduler", "DDIMScheduler"),
)
EXACT = ("AutoencoderKLWan",)
"""Models that are published for float32, whatever the dtype of the others."""


def is_joint(folder: Path) -> bool:
    """Whether a folder holds a transformer with joint attention, instead of a factorised UNet."""
    return (folder / "transformer").is_dir()


def load_joint(
    folder: Path,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    settings: EditSettings | None = None,
    num_frames: int = 16,
    compiled: bool = False,
) -> JointDiffusion:
    """Load the model in a local folder that has a transformer: see `load_backbone`.

    Raises:
        WeightsError: a part cannot be read, is of an unknown class, or does not fit the
            architecture exactly.
    """
    import transformers

    device = best_device(device)
    dtype = dtype or (torch.bfloat16 if device.type == "cuda" else torch.float32)
    encoder = _text_encoder_class(folder / "text_encoder" / "config.json")
    tokenizer = getattr(transformers, TEXTS[encoder].tokenizer)
    try:
        return JointDiffusion(
            transformer=_load(folder / "transformer", DENOISERS, dtype).to(device),
            vae=_load(folder / "vae", AUTOENCODERS, dtype).to(device),
            text_encoder=load_strictly(
                getattr(transformers, encoder), folder / "text_encoder", dtype
            ),
            tokenizer=tokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
            scheduler=_scheduler(folder / "scheduler"),
            settings=settings or EditSettings(),
            revision=weights_revision(folder),
            num_frames=num_frames,
            compiled=compiled,
        )
    except ValueError as error:
        raise WeightsError(f"{folder}: {error}") from error


def denoiser_class(folder: Path) -> Any:
    """The class in diffusers of the transformer in a folder.

    Raises:
        WeightsError: the config cannot be read, or names an unknown class.
    """
    import diffusers

    return getattr(diffusers, _class_name(folder / "config.json", DENOISERS))


def _load(folder: Path, classes: Collection[str], dtype: torch.dtype) -> Any:
    import diffusers

    name = _class_name(folder / "config.json", classes)
    exact = torch.promote_types(dtype, torch.float32) if name in EXACT else dtype
    return load_strictly(getattr(diffusers, name), folder, exact)


def _scheduler(folder: Path) -> Any:
    """The DDIM scheduler of CogVideoX replaces its stochastic one, which shares the config."""
    import diffusers

    classes = (*SCHEDULERS, "CogVideoXDPMScheduler")
    name = _class_name(folder / "scheduler_config.json", classes)
    name = "CogVideoXDDIMScheduler" if name == "CogVideoXDPMScheduler" else name
    return getattr(diffusers, name).from_pretrained(folder, local_files_only=True)


def _class_name(config: Path, classes: Collection[str]) -> str:
    """The `_class_name` of a config of diffusers.

    Raises:
        WeightsError: the config cannot be read, or names none of the classes.
    """
    name = read_config(config).get("_class_name")
    if name not in classes:
        raise WeightsError(f"{config}: _class_name must be one of {', '.join(classes)}, got {name}")
    return str(name)


def _text_encoder_class(config: Path) -> str:
    names = read_config(config).get("architectures") or []
    for name in names:
        if name in TEXTS:
            return str(name)
    raise WeightsError(f"{config}: architectures must name one of {', '.join(TEXTS)}, got {names}")
