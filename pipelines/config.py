"""The configuration of a run: a preset, a file on top of it, single values on top of that."""

import copy
import dataclasses
import difflib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

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


class Clip(Section):
    num_frames: int = Field(ge=2)
    """Frames of a clip."""
    height: int = Field(ge=8, multiple_of=2)
    """Height of a clip in pixels."""
    width: int = Field(ge=8, multiple_of=2)
    """Width of a clip in pixels."""
    fps: float = Field(gt=0)
    """Frames a second. A video too short for one clip at this rate is sampled faster."""
    stride: int | None = Field(default=None, ge=1)
    """Take every n-th frame of the video instead of sampling at `fps`."""
    fit: Literal["crop", "pad"] = "crop"
    """Bring a video to the clip's shape by cropping its centre, or by adding black borders."""
    max_clips_per_video: int | None = Field(default=4, ge=1)
    """Consecutive clips taken from one video. Null: all."""
    crf: int = Field(default=12, ge=0, le=51)
    """H.264 quality of stored clips and edits; lower is better and larger."""


class Captions(Section):
    frames: int = Field(default=8, ge=1)
    """Frames of a clip that a model is shown, evenly spaced."""
    max_new_tokens: int = Field(default=96, ge=1)
    """Tokens of an answer. One that is cut off is no caption."""
    min_words: int = Field(default=4, ge=1)
    """Words that a caption has at least."""
    max_words: int = Field(default=40, ge=1)
    """Words that a caption has at most. CLIP's text encoder reads 75 tokens."""

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> "Captions":
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is over max_words {self.max_words}")
        return self


class VisionLanguageModel(Section):
    weights: str = "Qwen/Qwen3-VL-4B-Instruct"
    """A hub id, or a folder or fsspec URI with safetensors and the files of the processor."""
    revision: str | None = "ebb281ec70b05090aa6165b016eac8ec08e71b17"
    """The commit to take from the hub. A hub id without one is refused."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Precision of the weights. auto: bfloat16 on a GPU, float32 on a CPU."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _own_revision(cls, values: Any) -> Any:
        # Other weights have no commit in common with the default ones.
        chosen = isinstance(values, Mapping) and "weights" in values
        return {"revision": None, **values} if chosen else values

    @pydantic.field_validator("weights")
    @classmethod
    def _absolute(cls, weights: str) -> str:
        # Workers do not share the folder that a command is given in.
        return os.path.abspath(weights) if os.path.exists(weights) else weights

    @pydantic.model_validator(mode="after")
    def _pinned(self) -> "VisionLanguageModel":
        of_hub = "://" not in self.weights and not os.path.isabs(self.weights)
        if of_hub and self.revision is None:
            raise ValueError(f"{self.weights} is no folder; of a hub id, set the revision, too")
        return self


class ServedModel(Section):
    model: str | None = None
    """What the server calls the model."""
    extra: dict[str, Any] = {}
    """Further fields of a request, and null for one that the server does not take."""


class Annotate(Section):
    tracker: str = "motion"
    """Finds the subject's mask: motion, none, an entry point or module:object."""
    captioner: str = "template"
    """Says what a clip shows: template, transformers_vlm, openai, an entry point, module:object."""
    caption_template: str = "a video of an object"
    """What the captioner `template` says of every clip."""
    captions: Captions = Captions()
    """What the captioners transformers_vlm and openai show a model, and take for a caption."""
    vlm: VisionLanguageModel = VisionLanguageModel()
    """The model of the captioner transformers_vlm."""
    endpoint: ServedModel = ServedModel()
    """The model of the captioner openai and the prompter llm. See execution.endpoint."""
    prompter: str = "noun_swap"
    """Derives target prompts: noun_swap, llm, an entry point or module:object."""
    targets_per_clip: int = Field(default=2, ge=1)
    """Target prompts derived for a clip."""
    target_kinds: tuple[Kind, ...] = Field(default=("noun_near", "recolour"), min_length=1)
    """What prompters change, in turn: noun_near, noun_far, recolour, restyle, background."""


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


class Server(Section):
    base_url: str | None = None
    """An OpenAI-compatible server, as http://host:8000/v1."""
    api_key_env: str | None = None
    """The environment variable that holds the server's key, on every machine. Null: no key."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds that one request may take as a whole."""
    attempts: int = Field(default=4, ge=1)
    """Requests for one answer. Refused, failed and unreadable ones are repeated, ever later."""
    total_timeout: float = Field(default=300.0, gt=0)
    """Seconds that one answer may take with all its attempts. A caption takes up to two answers."""

    @pydantic.field_validator("base_url")
    @classmethod
    def _plain(cls, base_url: str | None) -> str | None:
        if base_url is None:
            return None
        url = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc:
            raise ValueError(
                "write it as http://host:8000/v1, and a key into api_key_env's variable"
            )
        return base_url.rstrip("/")


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
    endpoint: Server = Server()
    """Where a model is served, for the captioner openai and the prompter llm."""


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

    @pydantic.model_validator(mode="after")
    def _is_served(self) -> "Config":
        if self.annotate.captioner == "openai" or self.annotate.prompter == "llm":
            served(self)
        return self


def served(config: Config) -> tuple[str, str]:
    """Where a model is served, and what it is called there.

    Raises:
        ConfigError: either is not set.
    """
    base_url, model = config.execution.endpoint.base_url, config.annotate.endpoint.model
    if base_url is None or model is None:
        raise ConfigError(
            "openai and llm ask a server: set execution.endpoint.base_url (http://host:8000/v1) "
            "and annotate.endpoint.model"
        )
    return base_url, model


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
    return _fields_of(schema, schema["$defs"], "")


def _fields_of(schema: Mapping[str, Any], sections: Mapping[str, Any], path: str) -> Iterable[str]:
    for name, field in schema["properties"].items():
        yield f"{path}{name}"
        if "$ref" in field:
            section = sections[field["$ref"].rsplit("/", 1)[-1]]
            yield from _fields_of(section, sections, f"{path}{name}.")
