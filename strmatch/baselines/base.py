"""What the baselines share: settings that are the backbone's, and a plain inversion."""

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np

from strmatch.backbones.base import Backbone
from strmatch.editor import Inversion, STRMatch
from strmatch.settings import EditSettings

OF_THE_BACKBONE = (
    *("num_inference_steps", "guidance_scale", "inversion_label", "noised_until"),
    "mask_dilation",
)
"""Fields that suit a backbone whatever the method, and mean the same in `EditSettings`."""


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How a backbone is sampled."""

    its_own: ClassVar[tuple[str, ...]] = ()
    """Those of `OF_THE_BACKBONE` that a method publishes with itself."""

    num_inference_steps: int = 50
    """DDIM steps from noise to clip."""

    guidance_scale: float = 7.5
    """Classifier-free guidance towards the target prompt; 1 switches it off."""

    negative_prompt: str = ""
    """Prompt of the unconditional slot."""

    def __post_init__(self) -> None:
        if self.num_inference_steps < 1:
            raise ValueError(f"num_inference_steps must be ≥ 1, got {self.num_inference_steps}")


@dataclass(frozen=True, kw_only=True)
class InversionSettings(SamplingSettings):
    """Settings of a method that begins with DDIM inversion."""

    inversion_label: Literal["current", "next"] = "next"
    """Timestep label of an inversion step: the level it leaves or enters."""

    noised_until: int = 0
    """Timestep up to which levels are reached by adding noise instead of inverting."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noised_until < 0:
            raise ValueError(f"noised_until must be ≥ 0, got {self.noised_until}")


AnySettings = TypeVar("AnySettings", bound=SamplingSettings)


def shared_settings(kind: type[SamplingSettings], edit: EditSettings) -> dict[str, Any]:
    """The fields of a baseline's settings class that the backbone decides, which `edit` suits."""
    known = {field.name for field in fields(kind)} - set(kind.its_own)
    return {name: getattr(edit, name) for name in OF_THE_BACKBONE if name in known}


def settings_for(kind: type[AnySettings], edit: EditSettings, **options: Any) -> AnySettings:
    """A baseline's settings for a backbone: `options`, then what `edit` shares, then defaults."""
    return kind(**shared_settings(kind, edit) | options)


def invert(
    backbone: Backbone, frames: np.ndarray, prompt: str, settings: InversionSettings
) -> Inversion:
    """DDIM inversion of a clip, uint8 (f, H, W, 3), under one prompt, without guidance or score."""
    plain = replace(
        backbone.settings,
        lam=0.0,
        num_inference_steps=settings.num_inference_steps,
        inversion_label=settings.inversion_label,
        noised_until=settings.noised_until,
    )
    return STRMatch(backbone, plain).invert(frames, prompt)
