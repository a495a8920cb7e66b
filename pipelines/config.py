"""The configuration of a run: a preset, a file on top of it, single values on top of that."""

import copy
import dataclasses
import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pydantic
import yaml

from pipelines.errors import ConfigError
from pipelines.sections import (
    STRICT,
    Annotate,
    Backbone,
    Clip,
    Execution,
    Measure,
    Pretrained,
    Publish,
    Section,
)
from strmatch.presets import load_preset
from strmatch.settings import EditSettings

# The editor's settings know nothing of pydantic; here they are read as strictly as the rest.
pydantic.with_config(STRICT)(EditSettings)


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
    """What edits: str_match, sdedit, dmt, uniedit, an entry point or module:object."""
    edit: EditSettings
    """The settings of str_match. Other editors share those that suit the backbone: steps, guidance,
    how it inverts, the mask's dilation."""
    editor_options: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Settings of another editor than str_match, beside or in place of those it shares."""
    measure: Measure = Measure()
    """What is measured of every edit."""
    publish: Publish = Publish()
    """Which edits are good enough, and how the dataset is laid out."""
    execution: Execution = Execution()
    """Where and how fast. Changes no result and is never part of an id."""

    @pydantic.model_validator(mode="after")
    def _has_models(self) -> "Config":
        chosen = self.annotate
        if chosen.captioner == "openai" or chosen.prompter == "llm":
            served(self)
        used: dict[str, Pretrained] = {}
        if chosen.captioner == "transformers_vlm":
            used["annotate.vlm"] = chosen.vlm
        if chosen.tracker in ("sam2", "sam2_hf"):
            used |= {"annotate.sam2": chosen.sam2, "annotate.detector": chosen.detector}
        if "clip_similarity" in self.measure.metrics:
            used["measure.clip"] = self.measure.clip
        for name, model in used.items():
            if not model.is_pinned:
                raise ConfigError(
                    f"{name}: {model.weights} is no folder; of a hub id, set "
                    f"{name}.revision to a commit, too"
                )
        return self

    @pydantic.model_validator(mode="after")
    def _measures_what_it_limits(self) -> "Config":
        for name in self.publish.limits:
            if name not in self.measure.metrics:
                measured = ", ".join(self.measure.metrics) or "nothing"
                raise ConfigError(
                    f"publish.limits: {name} is not measured; measure.metrics has {measured}"
                )
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


PHASES = ("annotate", "plan", "edit", "measure", "publish")
_MEANING = {
    "annotate": ("seed", "clip", "annotate"),
    "plan": ("backbone", "editor", "edit", "editor_options"),
    "edit": (),
    "measure": ("measure",),
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
        "editor_options": dict(chosen.editor_options.get(str(wanted.get("editor")), {})),
    }
    if chosen.weights:  # they come with the package, and so does a CLIP that knows their world
        metrics = [*Measure().metrics, "clip_similarity"]
        merged["measure"] = {"metrics": metrics, "clip": {"weights": "miniature"}}
    _merge(merged, wanted)
    try:
        return Config.model_validate(merged)
    except pydantic.ValidationError as error:
        raise ConfigError("; ".join(explain(e) for e in error.errors())) from None


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


def explain(error: Any) -> str:
    """One pydantic error as `field: what is wrong`, with the nearest field's name."""
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "value_error":  # raised by our own checks, which say it all
        return f"{path}: {error['ctx']['error']}"
    if error["type"] not in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{path}: {error['msg']}, got {error['input']!r}"
    section = path.rpartition(".")[0]
    siblings = [name for name in _all_fields() if name.rpartition(".")[0] == section]
    if not siblings:  # in a mapping
        return f"{path}: no such key"
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
