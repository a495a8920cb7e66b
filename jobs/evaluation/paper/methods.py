"""The compared methods: editors on one backbone, each with one setting that is varied."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strmatch.presets import Preset


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


Methods = Mapping[str, Method]
"""Methods by name."""

NEEDS_UNET = {
    "dmt": "compares features of a UNet",
    "uniedit": "replaces attention of a UNet",
}
"""Editors that take no transformer, with the reason."""
_GUIDANCE = (1.5, 2.5, 4.0, 6.0)
_NOISE = (0.4, 0.5, 0.6, 0.7)
_START = (0.55, 0.7, 0.85, 1.0)


def methods_of(preset: Preset, joint: bool) -> dict[str, Method]:
    """The methods that a model takes, with the settings of its preset.

    Args:
        joint: whether the model is a transformer with joint attention, and no UNet.
    """
    lam, options = preset.edit.lam, preset.editor_options
    score = (lam / 4, lam / 2, lam, 2 * lam)
    maps = (lam, 2 * lam, 4 * lam, 8 * lam)
    flow, features = options.get("flowedit", {}), options.get("dmt", {})
    concatenated, plain = {"objective": "concatenated_maps"}, {"lam": 0.0}
    methods = {
        "str_match": Method("str_match", "lam", score),
        "str_match_masked": Method("str_match", "lam", score, masked=True),
        "concatenated_maps": Method("str_match", "lam", maps, fixed=concatenated),
        "lambda_0": Method("str_match", "guidance_scale", _GUIDANCE, fixed=plain),
        "lambda_0_masked": Method(
            "str_match", "guidance_scale", _GUIDANCE, masked=True, fixed=plain
        ),
        "sdedit": Method("sdedit", "strength", _NOISE),
        "sdedit_masked": Method("sdedit", "strength", _NOISE, masked=True),
        "flowedit": Method("flowedit", "start_share", _START, fixed=flow),
        "flowedit_masked": Method("flowedit", "start_share", _START, masked=True, fixed=flow),
        "dmt": Method("dmt", "lr", (0.0125, 0.025, 0.05, 0.1), fixed=features),
        "uniedit": Method("uniedit", "injected_share", (0.2, 0.4, 0.6, 0.8), masked=True),
    }
    left_out = NEEDS_UNET if joint else ()
    return {name: each for name, each in methods.items() if each.editor not in left_out}


MULTIPLES = {"lambda_half": 0.5, "lambda_one_and_a_half": 1.5}
"""Multiples of the λ chosen for `str_match`: the paper's 0.005 and 0.015 relative to its 0.01."""


@dataclass(frozen=True)
class Attempt:
    """A method at one value of its strength. `name` is unique within a case."""

    name: str
    method: str
    strength: float
