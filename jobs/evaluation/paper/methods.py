"""What is compared: editors on one backbone, each with the setting that its edits hang on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strmatch.presets import load_preset


@dataclass(frozen=True)
class Method:
    """An editor, with one setting that trades what is asked against what is to be kept."""

    editor: str
    """str_match, sdedit, dmt or uniedit."""
    strength: str
    """The setting, a field of the editor's settings."""
    grid: tuple[float, ...]
    """Its values, of which each method is given equally many to choose from."""
    masked: bool = False
    """Whether it is told where to edit."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Other settings that differ from the editor's own."""

    def settings(self, strength: float) -> dict[str, Any]:
        """The settings that differ from the editor's own."""
        return {**self.fixed, self.strength: strength}


PRESET = load_preset("miniature")
LAMBDA = PRESET.edit.lam
_STR = (LAMBDA / 4, LAMBDA / 2, LAMBDA, 2 * LAMBDA)
_CONCATENATED = (LAMBDA, 2 * LAMBDA, 4 * LAMBDA, 8 * LAMBDA)
_GUIDANCE = (1.5, 2.5, 4.0, 6.0)
_NOISE = (0.4, 0.5, 0.6, 0.7)

METHODS: dict[str, Method] = {
    "str_match": Method("str_match", "lam", _STR),
    "str_match_masked": Method("str_match", "lam", _STR, masked=True),
    "concatenated_maps": Method(
        "str_match", "lam", _CONCATENATED, fixed={"objective": "concatenated_maps"}
    ),
    "lambda_0": Method("str_match", "guidance_scale", _GUIDANCE, fixed={"lam": 0.0}),
    "lambda_0_masked": Method(
        "str_match", "guidance_scale", _GUIDANCE, masked=True, fixed={"lam": 0.0}
    ),
    "sdedit": Method("sdedit", "strength", _NOISE),
    "sdedit_masked": Method("sdedit", "strength", _NOISE, masked=True),
    "dmt": Method("dmt", "lr", (0.0125, 0.025, 0.05, 0.1), fixed=PRESET.editor_options["dmt"]),
    "uniedit": Method("uniedit", "injected_share", (0.2, 0.4, 0.6, 0.8), masked=True),
}

MULTIPLES = {"lambda_half": 0.5, "lambda_one_and_a_half": 1.5}
"""Of the λ that is chosen for `str_match`: what the paper's 0.005 and 0.015 are of its 0.01."""


@dataclass(frozen=True)
class Attempt:
    """A method at one value of its strength. `name` is unique within a case."""

    name: str
    method: str
    strength: float
