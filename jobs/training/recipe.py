"""Training recipes: the phases and their settings, a YAML file validated before any work."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

RECIPES = ("cpu", "several", "segmenter", "joint")
CLIP_FRAMES = 16

Share = Annotated[float, Field(ge=0, le=1)]


class Phase(BaseModel):
    """A phase of training. The learning rate warms up, then falls by half a cosine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    """Clips (or single frames) a step, summed over all workers."""
    learning_rate: float = Field(gt=0)
    final_learning_rate: float = Field(ge=0)
    warmup: int = Field(default=100, ge=0)
    ema: float = Field(default=0.998, ge=0, lt=1)
    """Decay a step of the averaged weights, which are the result of a phase."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """Optimizer of the inner matrices. AdamW trains all other parameters."""


class DiffusionPhase(Phase):
    """A phase of the denoiser and the text tower on clips of `frames` frames."""

    frames: int = Field(ge=1)
    clips: int = Field(ge=1)
    """Number of distinct clips, rendered and encoded when the phase starts."""
    images: Share = 0.0
    """Share of steps on single frames of distinct clips, with the usual number of frames a step."""
    stride: int | None = Field(default=None, ge=1)
    """Interval of the frames within the 16 of a clip, from a random start. Null: evenly spaced."""
    shown: Share = 0.0
    """Share of clips with one frame without noise."""
    shown_anywhere: Share = 1.0
    """Share of those clips in which the frame is random. In the others it is the first frame."""
    harder: Share = 0.0
    """Share of clips of the harder kinds."""
    pairs: Share = 0.0
    """Share of clips with two figures."""
    trios: Share = 0.0
    """Share of clips with three figures. All other clips are of the core."""

    @model_validator(mode="after")
    def _fits(self) -> "DiffusionPhase":
        if self.harder + self.pairs + self.trios > 1:
            raise ValueError("harder, pairs and trios are more than all clips")
        if self.stride and (self.frames - 1) * self.stride >= CLIP_FRAMES:
            raise ValueError(
                f"{self.frames} frames with stride {self.stride} are no part of {CLIP_FRAMES}"
            )
        return self


class SegmenterPhase(Phase):
    """A phase of SAM2 on stretches of clips."""

    frames: int = Field(ge=1)
    """Frames of a stretch. A single frame trains no memory."""
    stride: int = Field(default=1, ge=1)
    """Largest interval of frames. The interval of a step is random, from 1 to `stride`."""
    two_sprites: Share = 0.5
    """Share of clips with two sprites, of which the box selects one. Others are of all kinds."""

    @model_validator(mode="after")
    def _fits(self) -> "SegmenterPhase":
        if (self.frames - 1) * self.stride >= CLIP_FRAMES:
            raise ValueError(
                f"{self.frames} frames with stride {self.stride} are no part of {CLIP_FRAMES}"
            )
        return self


class Recipe(BaseModel):
    """All phases of a training, in the order in which they run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    prediction_type: Literal["v_prediction", "epsilon"] = "v_prediction"
    autoencoder: Phase | None = None
    """None: the training starts from a model with an autoencoder."""
    diffusion: tuple[DiffusionPhase, ...] = ()
    """Empty: all parts but the segmenter are copied from the start model."""
    decoder: Phase | None = None
    """Training of the decoder alone. The latents do not change."""
    image_tower: Phase | None = None
    """Training of CLIP's image tower, fitted to the text tower that was trained with the UNet."""
    joint: tuple[DiffusionPhase, ...] = ()
    """Phases of the transformer with joint attention, on the start model's autoencoder."""
    segmenter: tuple[SegmenterPhase, ...] = ()
    """Phases of SAM2, which depends on no other part: single frames first, then memory."""

    @model_validator(mode="after")
    def _is_whole(self) -> "Recipe":
        if bool(self.diffusion) != bool(self.image_tower):
            raise ValueError("diffusion and image_tower need each other")
        if self.joint and (self.diffusion or self.segmenter):
            raise ValueError("joint is a recipe of its own, without diffusion and segmenter")
        only = self.joint or self.segmenter
        if not self.diffusion and (self.autoencoder or self.decoder or not only):
            raise ValueError("without diffusion there is joint or a segmenter and nothing else")
        return self


def load_recipe(name: str) -> Recipe:
    """Returns the packaged recipe `name`, or the recipe of the YAML file `name`.

    Raises:
        ValueError: there is no such recipe, or a field is invalid. The message names the field.
    """
    path = files("jobs.training") / "recipes" / f"{name}.yaml" if name in RECIPES else Path(name)
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        known = ", ".join(RECIPES)
        raise ValueError(f"no recipe {name!r}: neither one of {known} nor a YAML file") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ValueError(f"recipe {name}: {field}: {first['msg']}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"recipe {name} is not YAML: {error}") from error
