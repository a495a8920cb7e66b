"""Options of the editor `diffusers`: which pipeline, and how a clip becomes its arguments."""

from collections.abc import Mapping
from typing import Any, Literal

import pydantic
from pydantic import Field

from pipelines.config.options import Options
from pipelines.config.sections import Section, Weights
from pipelines.errors import ConfigError

Content = Literal[
    "video",
    "mask",
    "edges",
    "first_frame",
    "target_prompt",
    "source_prompt",
    "instruction",
    "generator",
    "height",
    "width",
    "num_frames",
    "fps",
]
"""What a parameter of a pipeline can get."""


class Frames(Section):
    """The numbers of frames that a pipeline takes, k · `multiple` + `remainder` up to `max`."""

    multiple: int = Field(default=1, ge=1)
    """Step between valid numbers of frames: 4 for Wan and CogVideoX, 8 for LTX."""
    remainder: int = Field(default=0, ge=0)
    """Frames beyond the multiple: 1 for Wan, CogVideoX and LTX."""
    max: int | None = Field(default=None, ge=1)
    """Maximum number of frames of one call. Longer clips are edited in chunks. Null: no limit."""
    overlap: int = Field(default=8, ge=0)
    """Frames that neighbouring chunks share."""

    @pydantic.model_validator(mode="after")
    def _valid(self) -> "Frames":
        if self.max is not None:
            if self.max < self.remainder or (self.max - self.remainder) % self.multiple:
                raise ValueError(f"max {self.max} is not k · {self.multiple} + {self.remainder}")
            if self.overlap >= self.max:
                raise ValueError(f"overlap {self.overlap} must be less than max {self.max}")
        return self


class Size(Section):
    """The size at which a pipeline works. Edits are resized back to the clip's size."""

    height: int | None = Field(default=None, ge=1)
    """Height, pixels. Null: of the clip, rounded to `multiple`."""
    width: int | None = Field(default=None, ge=1)
    """Width, pixels. Null: of the clip, rounded to `multiple`."""
    multiple: int = Field(default=8, ge=1)
    """Height and width are multiples of this number."""

    @pydantic.model_validator(mode="after")
    def _valid(self) -> "Size":
        for name, side in (("height", self.height), ("width", self.width)):
            if side is not None and side % self.multiple:
                raise ValueError(f"{name} {side} is no multiple of {self.multiple}")
        return self


class Mask(Section):
    """How a pipeline wants its mask."""

    white: Literal["edit", "keep"] = "edit"
    """What white means: generate there, or keep the video."""
    dilation: int = Field(default=8, ge=0)
    """Pixels of the clip by which the region of the edit grows."""


class Memory(Section):
    """Memory modes of a pipeline."""

    offload: Literal["none", "model", "sequential"] = "none"
    """Which parts wait in CPU memory: none, whole models, or single layers."""
    vae_tiling: bool = False
    """Encode and decode frames in tiles."""
    vae_slicing: bool = False
    """Encode and decode one video of a batch at a time."""


class Lora(Section):
    """An adapter that is loaded into a pipeline."""

    model: Weights
    """Folder, fsspec URI or hub id."""
    revision: str | None = None
    """Commit of a hub id."""
    scale: float = 1.0
    """Weight of the adapter."""


class DiffusersOptions(Options):
    pipeline: str
    """Class of the pipeline: a name in diffusers (WanVACEPipeline), or module:Class."""
    model: Weights
    """Weights in diffusers layout: a folder, an fsspec URI, or a hub id."""
    revision: str | None = None
    """Commit of the hub id, required for a hub id."""
    arguments: Mapping[str, Content] = {}
    """What parameters of the pipeline get, beyond those that have the name of what they get:
    {prompt: instruction}."""
    call: Mapping[str, Any] = {}
    """Constant arguments: {num_inference_steps: 30, guidance_scale: 5.0, negative_prompt: blurry}.
    """
    frames: Frames = Frames()
    """Numbers of frames of a call."""
    size: Size = Size()
    """Size of a call."""
    mask: Mask = Mask()
    """Form of the mask."""
    composite: bool = True
    """Take the clip's own pixels outside the dilated mask."""
    memory: Memory = Memory()
    """Memory modes."""
    loras: tuple[Lora, ...] = ()
    """Adapters."""


def call_size(size: Size, clip: tuple[int, int]) -> tuple[int, int]:
    """Returns height and width of a call for clips of this height and width, pixels."""
    height, width = (
        given or max(1, round(side / size.multiple)) * size.multiple
        for given, side in zip((size.height, size.width), clip, strict=True)
    )
    return height, width


def own_names(parameters: Mapping[str, Any]) -> dict[str, Content]:
    """Returns the arguments of parameters that have the name of what they get."""
    same: tuple[Content, ...] = ("video", "mask", "generator", "height", "width", "num_frames")
    found: dict[str, Content] = {name: name for name in same if name in parameters}
    return found | ({"prompt": "target_prompt"} if "prompt" in parameters else {})


def check_arguments(options: DiffusersOptions, parameters: Mapping[str, Any]) -> None:
    """Check names against the parameters of a pipeline's call.

    Raises:
        ConfigError: in one line, which name the pipeline lacks, or what it is not told.
    """
    for field, given in (("arguments", options.arguments), ("call", options.call)):
        for name in given:
            if name not in parameters:
                raise ConfigError(
                    f"editor_options.{field}.{name}: {options.pipeline} takes no such argument; "
                    f"there are {', '.join(parameters)}"
                )
    told = own_names(parameters) | dict(options.arguments)
    if not {*told.values()} & {"target_prompt", "instruction"}:
        raise ConfigError(
            f"editor_options.arguments: no parameter of {options.pipeline} gets target_prompt or "
            "instruction"
        )
    if not {*told.values()} & {"video", "edges", "first_frame"}:
        raise ConfigError(
            f"editor_options.arguments: no parameter of {options.pipeline} gets the video"
        )
