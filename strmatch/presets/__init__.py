"""Presets: what suits one backbone. A preset is one small module with a `PRESET`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from strmatch.settings import EditSettings

NAMES = ("miniature", "miniature-fast", "lavie", "zeroscope", "animatediff")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A backbone's weights, the clips it was trained on and the edit settings that suit it."""

    weights: str | None
    """Folder or fsspec URI of the weights; None where the user has to name it."""
    num_frames: int
    height: int
    width: int
    fps: float
    edit: EditSettings
    editor_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of other editors by the editor's name, where the published ones do not suit."""


def load_preset(name: str) -> Preset:
    """The preset called `name`.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in NAMES:
        raise ValueError(f"no preset {name!r}; there are {', '.join(NAMES)}")
    return import_module(f"strmatch.presets.{name.replace('-', '_')}").PRESET
