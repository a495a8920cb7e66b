"""Settings and the DDIM inversion shared by the baselines."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.ddim import Schedule
from strmatch.ddim import invert as ddim_invert
from strmatch.editor import Inversion
from strmatch.settings import EditSettings

BACKBONE_FIELDS = (
    *("num_inference_steps", "guidance_scale", "inversion_label", "noised_until"),
    "mask_dilation",
)
"""Fields whose best values depend on the backbone, not the method. Each has the same meaning in
`EditSettings`."""


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """Settings of DDIM sampling.

    Raises:
        ValueError: a value is out of range.
    """

    published_fields: ClassVar[tuple[str, ...]] = ()
    """Members of `BACKBONE_FIELDS` for which the method's publication gives a value."""

    num_inference_steps: int = 50
    """Number of DDIM steps from noise to clip."""

    guidance_scale: float = 7.5
    """Scale of the classifier-free guidance towards the target prompt. 1 disables."""

    negative_prompt: str = ""
    """Prompt of the unconditional half of the guidance."""

    def __post_init__(self) -> None:
        if self.num_inference_steps < 1:
            raise ValueError(f"num_inference_steps must be ≥ 1, got {self.num_inference_steps}")


@dataclass(frozen=True, kw_only=True)
class InversionSettings(SamplingSettings):
    """Settings of a method that starts from a DDIM inversion.

    Raises:
        ValueError: a value is out of range.
    """

    inversion_label: Literal["current", "next"] = "next"
    """Timestep passed to the UNet in an inversion step: that of the noise level the step leaves
    ("current") or enters ("next")."""

    noised_until: int = 0
    """Timestep up to which noise levels are reached by adding noise instead of by inversion. 0
    disables."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noised_until < 0:
            raise ValueError(f"noised_until must be ≥ 0, got {self.noised_until}")


AnySettings = TypeVar("AnySettings", bound=SamplingSettings)


def shared_settings(kind: type[SamplingSettings], edit: EditSettings) -> dict[str, Any]:
    """Values of `edit` for the fields of a baseline's settings class that the backbone determines.

    Args:
        kind: settings class of the baseline.
        edit: edit settings of the backbone.
    """
    known = {field.name for field in fields(kind)} - set(kind.published_fields)
    return {name: getattr(edit, name) for name in BACKBONE_FIELDS if name in known}


def settings_for(kind: type[AnySettings], edit: EditSettings, **options: Any) -> AnySettings:
    """Settings of a baseline on a backbone.

    Each field takes its value from `options`, else from `shared_settings`, else from the defaults
    of `kind`.

    Raises:
        ValueError: a value is out of range.
    """
    return kind(**shared_settings(kind, edit) | options)


def invert(
    backbone: Backbone, frames: np.ndarray, prompt: str, settings: InversionSettings
) -> Inversion:
    """DDIM inversion of a clip under one prompt, without guidance.

    Args:
        backbone: see `strmatch.load_backbone`.
        frames: uint8 (f, H, W, 3), RGB.
        prompt: text condition of every step.
        settings: number of steps, timestep label and noised levels.

    Raises:
        ValueError: the frames have the wrong shape or dtype, or a size that the backbone does not
            support.
    """
    schedule = Schedule.from_scheduler(backbone.scheduler, settings.num_inference_steps)
    label, noised_until = settings.inversion_label, settings.noised_until
    embedding = backbone.embed(prompt)

    def epsilon(latents: Tensor, timestep: int) -> Tensor:
        return backbone.epsilon(latents, timestep, embedding)

    latents = backbone.encode(frames)
    trajectory = ddim_invert(epsilon, latents, schedule, label, noised_until)
    return Inversion(trajectory, prompt, schedule, label, noised_until)
