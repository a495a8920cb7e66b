"""The forms of an edit that are compared, each as an inversion and an edit function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from jobs.benchmark.as_written import AsWritten
from jobs.benchmark.models import SOURCE, Model
from strmatch import STRMatch
from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.settings import EditSettings

EXACT = ("as_written", "ours", "lean")
"""Forms with equal results. Two further forms are faster variants of "ours": "compiled", equal up
to rounding, and "fast", with the settings of a fast preset."""


@dataclass(frozen=True)
class Form:
    backbone: VideoDiffusion
    invert: Callable[[], Any]
    edit: Callable[[Any, str], Tensor]
    """(inversion, target prompt) → latents. The call includes decoding."""
    denoising: tuple[Any, str]
    """The object and the name of the method that computes a guided prediction."""


def make_form(name: str, model: Model, settings: EditSettings) -> Form:
    """Builds the form `name`: one of `EXACT`, "compiled" or "fast"."""
    backbone = model.compiled if name == "compiled" else model.backbone
    if name == "as_written":
        plain = AsWritten(backbone, settings)

        def edit(inversion: Any, prompt: str) -> Tensor:
            latents = plain.edit(inversion, prompt)
            backbone.decode(latents)
            return latents

        return Form(backbone, lambda: plain.invert(model.frames, SOURCE), edit, (plain, "guided"))
    editor = STRMatch(backbone, settings, memory="lean" if name == "lean" else "normal")
    return Form(
        backbone,
        lambda: editor.invert(model.frames, SOURCE),
        lambda inversion, prompt: editor.edit(inversion, prompt).latents,
        (backbone, "predict"),
    )
