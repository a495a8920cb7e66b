"""The forms of an edit that are compared, seen as two functions each."""

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
"""Forms with the same result. Two more are ours with what makes it faster: "compiled", with the
same result but for rounding, and "fast", with the settings of a fast preset."""


@dataclass(frozen=True)
class Form:
    backbone: VideoDiffusion
    invert: Callable[[], Any]
    edit: Callable[[Any, str], Tensor]
    """(inversion, target prompt) → latents, which it has also decoded."""
    denoising: tuple[Any, str]
    """The object and the name of its method that a guided prediction is."""


def make_form(name: str, model: Model, settings: EditSettings) -> Form:
    """One of `EXACT`, "compiled" or "fast"."""
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
        (backbone, "epsilon"),
    )
