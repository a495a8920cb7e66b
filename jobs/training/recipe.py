"""What is trained, for how long and how fast: one YAML file, checked before any work."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

RECIPES = ("cpu", "segmenter")
CLIP_FRAMES = 16

Share = Annotated[float, Field(ge=0, le=1)]


class Phase(BaseModel):
    """One stretch of training: warm-up, then half a cosine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    """Clips (or single frames) a step, over all workers."""
    learning_rate: float = Field(gt=0)
    final_learning_rate: float = Field(ge=0)
    warmup: int = Field(default=100, ge=0)
    ema: float = Field(default=0.998, ge=0, lt=1)
    """Decay a step of the averaged weights, which are what a phase hands on."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """What moves the matrices inside the networks; AdamW moves all else."""


class DiffusionPhase(Phase):
    """Training of the UNet, jointly with the text tower, on clips of so many frames."""

    frames: int = Field(ge=1)
    clips: int = Field(ge=1)
    """Distinct clips, rendered and encoded when the phase starts."""
    images: Share = 0.0
    """Steps on single frames, as many as the clips of a step have, each of another clip."""
    stride: int | None = Field(default=None, ge=1)
    """Take every so many'th of a clip's 16 frames, from anywhere; default: from first to last."""
    shown: Share = 0.0
    """Clips of which one frame is given without noise."""
    shown_anywhere: Share = 1.0
    """Of these, clips of which it is any frame; of the others it is the first."""
    harder: Share = 0.0
    """Clips of the harder kinds."""

    @model_validator(mode="after")
    def _fits(self) -> "DiffusionPhase":
        if self.stride and (self.frames - 1) * self.stride >= CLIP_FRAMES:
            raise ValueError(
                f"{self.frames} frames with stride {self.stride} are no part of {CLIP_FRAMES}"
            )
        return self


class SegmenterPhase(Phase):
    """Training of SAM2 on stretches of clips."""

    frames: int = Field(ge=1)
    """Of a stretch; of one frame, nothing is followed."""
    stride: int = Field(default=1, ge=1)
    """Take every frame of a stretch, or every second …, up to every so many'th."""
    two_sprites: Share = 0.5
    """Clips of two things, where the box tells which; the others are of all kinds."""

    @model_validator(mode="after")
    def _fits(self) -> "SegmenterPhase":
        if (self.frames - 1) * self.stride >= CLIP_FRAMES:
            raise ValueError(
                f"{self.frames} frames with stride {self.stride} are no part of {CLIP_FRAMES}"
            )
        return self


class Recipe(BaseModel):
    """All phases, in the order in which they run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    prediction_type: Literal["v_prediction", "epsilon"] = "v_prediction"
    autoencoder: Phase | None = None
    """None: the training goes on from a model that has one."""
    diffusion: tuple[DiffusionPhase, ...] = ()
    """Empty: the other parts are those of the model that the training goes on from."""
    decoder: Phase | None = None
    """The autoencoder's second half alone: what the latents mean does not change any more."""
    image_tower: Phase | None = None
    """CLIP's other half, fitted to the text tower that the UNet has learnt to listen to."""
    segmenter: tuple[SegmenterPhase, ...] = ()
    """SAM2, which depends on no other part. Single frames first, then memory."""

    @model_validator(mode="after")
    def _is_whole(self) -> "Recipe":
        if bool(self.diffusion) != bool(self.image_tower):
            raise ValueError("diffusion and image_tower need each other")
        if not self.diffusion and (self.autoencoder or self.decoder or not self.segmenter):
            raise ValueError("without diffusion there is a segmenter and nothing else")
        return self


def load_recipe(name: str) -> Recipe:
    """The recipe called `name`, or that of the YAML file `name`.

    Raises:
        ValueError: no such recipe, or it does not fit; names the field.
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
