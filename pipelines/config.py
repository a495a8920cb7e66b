"""The configuration of a run: a preset, a file on top of it, single values on top of that."""

import copy
import dataclasses
import difflib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import ConfigError
from pipelines.prompts.target_prompt import Kind
from strmatch.presets import NAMES, load_preset
from strmatch.settings import EditSettings

STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
# The editor's settings know nothing of pydantic; here they are read as strictly as the rest.
pydantic.with_config(STRICT)(EditSettings)


class Section(BaseModel):
    model_config = STRICT


def _absolute(weights: str) -> str:
    # Workers do not share the folder that a command is given in.
    return os.path.abspath(weights) if os.path.isdir(weights) else weights


Weights = Annotated[str, pydantic.AfterValidator(_absolute)]
"""A hub id, or a folder or fsspec URI."""


class Clip(Section):
    num_frames: int = Field(ge=2)
    """Frames of a clip."""
    height: int = Field(ge=8, multiple_of=2)
    """Height of a clip in pixels."""
    width: int = Field(ge=8, multiple_of=2)
    """Width of a clip in pixels."""
    fps: float = Field(gt=0)
    """Frames a second. A shot too short for one clip at this rate is sampled faster."""
    stride: int | None = Field(default=None, ge=1)
    """Take every n-th frame of the video instead of sampling at `fps`."""
    fit: Literal["crop", "pad"] = "crop"
    """Bring a video to the clip's shape by cropping its centre, or by adding black borders."""
    max_clips_per_video: int | None = Field(default=4, ge=1)
    """Clips taken from one video, the first ones. Null: all."""
    split_shots: bool = True
    """No clip crosses a cut. False: a video is one shot, and is not looked through for cuts."""
    skip_black: int | None = Field(default=24, ge=0, le=255)
    """Reject a clip that shows, mostly, nothing brighter than this, of 255. Null: take it."""
    skip_static: int | None = Field(default=None, ge=0, le=255)
    """Reject a clip no place of which ever changes by more than this, of 255. Null: take it. In a
    still scene it is noise that changes, by 8 or less."""
    skip_duplicates: int | None = Field(default=12, ge=0, le=255)
    """Reject a clip that shows nothing but what another of the same video showed: frames no place
    of which differs by more than this, of 255. Null: take it."""
    crf: int = Field(default=12, ge=0, le=51)
    """H.264 quality of stored clips and edits; lower is better and larger."""


class Sam2(Section):
    weights: Weights = "facebook/sam2.1-hiera-tiny"
    """A hub id, or a folder or fsspec URI: with safetensors for sam2_hf, with one .pt for sam2."""
    revision: str | None = None
    """The commit to take from the hub. A hub id without one is refused."""


class Detector(Section):
    weights: Weights = "google/owlv2-base-patch16-ensemble"
    """An open-vocabulary detector (OWLv2, Grounding DINO): a hub id, or a folder or fsspec URI."""
    revision: str | None = None
    """The commit to take from the hub. A hub id without one is refused."""
    threshold: float = Field(default=0.2, ge=0, le=1)
    """Score below which nothing counts as found."""
    frames: int = Field(default=4, ge=1)
    """Frames of a clip that are searched, evenly spaced."""


class MaskCheck(Section):
    min_area: float = Field(default=0.002, ge=0, le=1)
    """Share of the frame that a mask must cover, in the median of its frames."""
    max_area: float = Field(default=0.6, ge=0, le=1)
    """Share of the frame that a mask may cover, in the median of its frames."""
    max_empty: float = Field(default=0.25, ge=0, le=1)
    """Share of a clip's frames in which the mask may be empty."""
    max_shift: float = Field(default=0.2, ge=0)
    """How far the mask's centre may move from a frame to the next, in frame diagonals."""
    max_growth: float = Field(default=0.75, ge=0)
    """How much the mask's area may change from a frame to the next, in median areas."""


class Annotate(Section):
    tracker: str = "motion"
    """Finds the subject's mask: motion, sam2_hf, sam2, none, an entry point or module:object."""
    sam2: Sam2 = Sam2()
    """The model of the trackers sam2_hf and sam2."""
    detector: Detector = Detector()
    """Finds in some frames what the trackers sam2_hf and sam2 follow through the others."""
    mask_check: MaskCheck = MaskCheck()
    """Which masks are not worth an edit."""
    captioner: str = "template"
    """Says what a clip shows: template, an entry point or module:object."""
    caption_template: str = "a video of an object"
    """What the captioner `template` says of every clip."""
    prompter: str = "noun_swap"
    """Derives target prompts: noun_swap, an entry point or module:object."""
    targets_per_clip: int = Field(default=2, ge=1)
    """Target prompts derived for a clip."""
    target_kinds: tuple[Kind, ...] = Field(default=("noun_near", "recolour"), min_length=1)
    """What noun_swap changes, in turn: noun_near, noun_far, recolour, restyle, background."""


class Backbone(Section):
    weights: str
    """A preset's name, or a folder or fsspec URI with a model in diffusers layout."""

    @pydantic.field_validator("weights")
    @classmethod
    def _absolute(cls, weights: str) -> str:
        # Workers do not share the folder that a command is given in.
        return weights if weights in NAMES or "://" in weights else os.path.abspath(weights)

    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Precision of the weights. auto: float16 on a GPU, float32 on a CPU."""


class Publish(Section):
    file_mb: float = Field(default=128.0, gt=0)
    """Megabytes of a Parquet file of the dataset, about. A clip's edits are never split."""
    partition_by: tuple[str, ...] = ()
    """Columns of the manifest that become folders: dataset/split=train/…"""


class Execution(Section):
    editors: int | None = Field(default=None, ge=1)
    """Editors at work at once. Null: one a GPU, or one a machine's CPUs but one."""
    gpus_per_editor: float | None = Field(default=None, ge=0)
    """GPUs of one editor. Null: 1 where the cluster has GPUs, else 0."""
    torch_threads: int | None = Field(default=None, ge=1)
    """CPU threads of one editor. Null: the machine's cores shared among its editors."""
    ray_address: str | None = None
    """A Ray cluster to join. Null: $RAY_ADDRESS, else a cluster of this machine alone."""
    wait_for_resources: float = Field(default=0.0, ge=0)
    """Seconds to wait for an autoscaler to bring a machine that an editor fits on."""
    deadline: float = Field(default=3600.0, gt=0)
    """Seconds that a video's decoding, an annotation, or a clip with all its edits may take."""
    attempts: int = Field(default=3, ge=1)
    """Workers in which a video or clip may die alone before it is given up."""
    max_failed_share: float = Field(default=1.0, ge=0, le=1)
    """Stop a phase in which a larger share of rows fails."""
    storage_options: dict[str, Any] = {}
    """Options for fsspec (endpoints, profiles). Take secrets from the environment instead."""
    report_rows: int = Field(default=100, ge=0)
    """Edits shown on the report page."""


class Config(Section):
    preset: str
    """The preset that everything else is laid over."""
    seed: int = 0
    """Chooses among possible target prompts; drives editors that are stochastic."""
    clip: Clip
    """How clips are cut out of videos."""
    annotate: Annotate = Annotate()
    """Masks, captions and targets, where the manifest gives none."""
    backbone: Backbone
    """The text-to-video model."""
    editor: str = "str_match"
    """What edits: str_match, an entry point or module:object."""
    edit: EditSettings
    """The editor's settings."""
    publish: Publish = Publish()
    """How the dataset is laid out."""
    execution: Execution = Execution()
    """Where and how fast. Changes no result and is never part of an id."""


PHASES = ("annotate", "plan", "edit", "publish")
_MEANING = {
    "annotate": ("seed", "clip", "annotate"),
    "plan": ("backbone", "editor", "edit"),
    "edit": (),
    "publish": ("publish",),
}
"""The fields that each phase adds to those of the phases before it."""


def load_config(
    preset: str = "miniature", file: str | None = None, assignments: Iterable[str] = ()
) -> Config:
    """Resolve a configuration.

    Args:
        preset: a preset's name; one that the file names comes first.
        file: a YAML file of sections, as `strmatch config show` prints it.
        assignments: `section.key=value`, the value in YAML.

    Raises:
        ConfigError: in one line, what is wrong and where.
    """
    return resolve(_read_file(file) if file else {}, assignments, preset)


def resolve(
    values: Mapping[str, Any], assignments: Iterable[str] = (), preset: str = "miniature"
) -> Config:
    """As `load_config`, with the sections at hand instead of in a file."""
    wanted = copy.deepcopy(dict(values))
    for assignment in assignments:
        _merge(wanted, _parse(assignment))
    preset = wanted.pop("preset", preset)
    try:
        chosen = load_preset(preset)
    except ValueError as error:
        raise ConfigError(f"preset: {error}") from None
    merged: dict[str, Any] = {
        "preset": preset,
        "clip": {name: getattr(chosen, name) for name in ("num_frames", "height", "width", "fps")},
        "backbone": {"weights": preset},
        "edit": dataclasses.asdict(chosen.edit),
    }
    _merge(merged, wanted)
    try:
        return Config.model_validate(merged)
    except pydantic.ValidationError as error:
        raise ConfigError("; ".join(_explain(e) for e in error.errors())) from None


def dump(config: Config) -> dict[str, Any]:
    """The configuration as plain JSON values."""
    return config.model_dump(mode="json")


def fingerprints(config: Config) -> dict[str, str]:
    """One hash a phase over everything that can change its result, chained."""
    values, chained, result = dump(config), "", {}
    for phase in PHASES:
        part = {name: values[name] for name in _MEANING[phase]}
        text = json.dumps([chained, part], sort_keys=True)
        chained = hashlib.sha256(text.encode()).hexdigest()[:16]
        result[phase] = chained
    return result


def differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """The semantic fields in which two dumped configurations differ, as `field: old → new`."""
    found = []
    for name in sorted({*old, *new}):
        here, a, b = f"{path}{name}", old.get(name), new.get(name)
        if here in ("execution", "preset"):
            continue
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{here}.")
        elif a != b:
            found.append(f"{here}: {a} → {b}")
    return found


def to_yaml(config: Config) -> str:
    """The resolved configuration as YAML, every field under its explanation."""
    schema = Config.model_json_schema()
    return "\n".join(_commented(schema, schema["$defs"], dump(config), "")) + "\n"


def _commented(
    schema: Mapping[str, Any], sections: Mapping[str, Any], values: Mapping[str, Any], indent: str
) -> Iterable[str]:
    for name, field in schema["properties"].items():
        yield f"{indent}# {' '.join(field['description'].split())}"
        if "$ref" in field:
            section = sections[field["$ref"].rsplit("/", 1)[-1]]
            yield f"{indent}{name}:"
            yield from _commented(section, sections, values[name], indent + "  ")
        else:
            text = yaml.safe_dump(values[name], allow_unicode=True, default_flow_style=True)
            value = " ".join(text.removesuffix("...\n").split())
            yield f"{indent}{name}: {value}"


def _read_file(file: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"config file {file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"config file {file} is not YAML: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(values or {}, dict):
        raise ConfigError(f"config file {file} must hold sections, not a {type(values).__name__}")
    return values or {}


def _parse(assignment: str) -> dict[str, Any]:
    key, equals, text = assignment.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {assignment}: write it as section.key=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {assignment}: {text!r} is not a YAML value") from None
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _merge(base: dict[str, Any], extra: Mapping[str, Any]) -> None:
    for name, value in extra.items():
        if isinstance(value, Mapping) and isinstance(base.get(name), dict):
            _merge(base[name], value)
        else:
            base[name] = value


def _explain(error: Any) -> str:
    """One pydantic error as `field: what is wrong`, with the nearest field's name."""
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "value_error":  # raised by our own checks, which say it all
        return f"{path}: {error['ctx']['error']}"
    if error["type"] not in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{path}: {error['msg']}, got {error['input']!r}"
    section = path.rpartition(".")[0]
    siblings = [name for name in _all_fields() if name.rpartition(".")[0] == section]
    near = difflib.get_close_matches(path, siblings, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(siblings)}"
    return f"{path}: no such key; {hint}"


def _all_fields() -> Iterable[str]:
    schema = Config.model_json_schema()
    for name, field in schema["properties"].items():
        yield name
        if "$ref" in field:
            section = schema["$defs"][field["$ref"].rsplit("/", 1)[-1]]
            yield from (f"{name}.{key}" for key in section["properties"])
