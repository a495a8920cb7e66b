"""Presets: the settings that suit a model.

A preset is a `Preset` in a module of its own. Other packages add presets through the entry-point
group `strmatch.preset`:

    PRESET = Preset(
        weights="s3://bucket/model",
        num_frames=16,
        height=320,
        width=512,
        fps=8.0,
        edit=EditSettings(guidance_scale=9.0),
    )
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strmatch.presets.published import Published
from strmatch.registry import Registry
from strmatch.settings import EditSettings
from strmatch.validation import did_you_mean

PRESETS = Registry(
    "preset",
    {
        "miniature": "strmatch.presets.miniature:PRESET",
        "miniature-fast": "strmatch.presets.miniature_fast:PRESET",
        "miniature-joint": "strmatch.presets.miniature_joint:PRESET",
        "lavie": "strmatch.presets.lavie:PRESET",
        "zeroscope": "strmatch.presets.zeroscope:PRESET",
        "animatediff": "strmatch.presets.animatediff:PRESET",
        "wan": "strmatch.presets.wan:PRESET",
        "cogvideox": "strmatch.presets.cogvideox:PRESET",
        "wan-vace": "strmatch.presets.wan_vace:PRESET",
        "wan-vace-14b": "strmatch.presets.wan_vace_14b:PRESET",
        "wan-v2v": "strmatch.presets.wan_v2v:PRESET",
        "ltx": "strmatch.presets.ltx:PRESET",
        "cogvideox-v2v": "strmatch.presets.cogvideox_v2v:PRESET",
        "cosmos-transfer": "strmatch.presets.cosmos_transfer:PRESET",
    },
)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The weights of a model, the clips it was trained on, and edit settings that suit it.

    The model is a backbone, or that of an editor without one, which `editor_options` describe.
    """

    weights: str | Published | None = None
    """The backbone: folder or fsspec URI of the weights, or a published model that is fetched from
    the hub and converted once. None: the editor has none, or the user names a folder or URI."""
    editor: str = "str_match"
    """Name of the editor, where the user names no other."""
    licence: str | None = None
    """Licence of the weights. None: not stated."""
    num_frames: int
    """Number of frames of a clip."""
    height: int
    """Height of a clip, pixels."""
    width: int
    """Width of a clip, pixels."""
    fps: float
    """Frame rate of a clip, frames per second."""
    edit: EditSettings = field(default_factory=EditSettings)
    """Settings of editors on the backbone."""
    gpu_gb: tuple[float, float] | None = None
    """GPU memory of an edit in gigabytes, projected in float16 at the size above by
    `jobs.benchmark.projection`: normal, and with `execution.memory` lean. None: not projected."""
    editor_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options of editors, by the name of the editor, where their defaults do not suit."""
    pipeline: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Values for further sections of a configuration: annotators, metrics, and their models."""


def load_preset(name: str) -> Preset:
    """Load the preset called `name`.

    Raises:
        ValueError: no preset has this name.
    """
    if name not in PRESETS:
        names = PRESETS.names()
        hint = did_you_mean(name, names)
        raise ValueError(f"no preset {name!r}; there are {', '.join(names)}{hint}")
    return PRESETS.load(name)
