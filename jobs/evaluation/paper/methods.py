"""The compared methods: editors on one backbone, each with one setting that is varied."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strmatch.presets import load_preset


@dataclass(frozen=True)
class Method:
    """An editor with its strength, the setting that trades fidelity against preservation."""

    editor: str
    """str_match, sdedit, flowedit, dmt or uniedit."""
    strength: str
    """Name of the field of the editor's settings."""
    grid: tuple[float, ...]
    """Values of the strength to choose from, equally many for each method."""
    masked: bool = False
    """Whether the editor receives a mask."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Other settings that differ from the editor's defaults."""

    def settings(self, strength: float) -> dict[str, Any]:
        """Returns the settings that differ from the editor's defaults."""
        return {**self.fixed, self.strength: strength}


PRESET = load_preset("miniature")
LAMBDA = PRESET.edit.lam
_STR = (LAMBDA / 4, LAMBDA / 2, LAMBDA, 2 * LAMBDA)
_CONCATENATED = (LAMBDA, 2 * LAMBDA, 4 * LAMBDA, 8 * LAMBDA)
_GUIDANCE = (1.5, 2.5, 4.0, 6.0)
_NOISE = (0.4, 0.5, 0.6, 0.7)
_START = (0.55, 0.7, 0.85, 1.0)
_FLOW = PRESET.editor_options["flowedit"]

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
    "flowedit": Method("flowedit", "start_share", _START, fixed=_FLOW),
    "flowedit_masked": Method("flowedit", "start_share", _START, masked=True, fixed=_FLOW),
    "dmt": Method("dmt", "lr", (0.0125, 0.025, 0.05, 0.1), fixed=PRESET.editor_options["dmt"]),
    "uniedit": Method("uniedit", "injected_share", (0.2, 0.4, 0.6, 0.8), masked=True),
}

MULTIPLES = {"lambda_half": 0.5, "lambda_one_and_a_half": 1.5}
"""Multiples of the λ chosen for `str_match`: the paper's 0.005 and 0.015 relative to its 0.01."""


@dataclass(frozen=True)
class Attempt:
    """A method at one value of its strength. `name` is unique within a case."""

    name: str
    method: str
    strength: float
