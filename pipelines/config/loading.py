"""Loads the configuration of a run: a preset, overridden by a file, overridden by single values."""

import copy
import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pydantic
import yaml

from pipelines.config.booleans import refuse_booleans
from pipelines.config.config import Config
from pipelines.config.explain import explain, to_yaml
from pipelines.config.ladder import validate_ladder
from pipelines.config.options import fields_read, option_texts, validate_choices
from pipelines.errors import ConfigError
from strmatch.presets import Preset, load_preset


def load_config(
    preset: str = "miniature", file: str | None = None, assignments: Iterable[str] = ()
) -> Config:
    """Resolve a configuration.

    Args:
        preset: a preset's name; one that the file names comes first.
        file: a YAML file of sections, in the format of `strmatch config show`.
        assignments: `section.key=value`, the value in YAML.

    Raises:
        ConfigError: in one line, which field is wrong and why.
    """
    return resolve(_read_file(file) if file else {}, assignments, preset)


def resolve(
    values: Mapping[str, Any], assignments: Iterable[str] = (), preset: str = "miniature"
) -> Config:
    """Resolve a configuration like `load_config`, from sections instead of a file."""
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
        "editor": chosen.editor,
        "edit": dataclasses.asdict(chosen.edit),
        "editor_options": {},
    }
    options = chosen.editor_options.get(str(wanted.get("editor", chosen.editor)), {})
    _merge(merged, copy.deepcopy({**chosen.pipeline, "editor_options": {**options}}))
    _merge(merged, wanted)
    _settle_metrics(merged, chosen)
    refuse_booleans(Config, merged)
    try:
        config = Config.model_validate(merged)
    except pydantic.ValidationError as error:
        raise ConfigError("; ".join(explain(e) for e in error.errors())) from None
    validate_choices(config)
    validate_ladder(config)
    return config


def show(config: Config, everything: bool = False) -> str:
    """A configuration as YAML that `load_config` reads back to an equal one.

    Args:
        everything: print every setting. False: leave out settings that few users change and those
            of plug-ins that are not chosen, where they have the values of the preset.
    """
    notes = option_texts(config)
    licence = load_preset(config.preset).licence
    if licence:
        notes["preset"] = [f"Licence of its weights: {licence}."]
    if everything:
        return to_yaml(config, notes)
    return to_yaml(config, notes, fields_read(config), resolve({"preset": config.preset}))


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


def _settle_metrics(merged: dict[str, Any], chosen: Preset) -> None:
    """Drop limits and options of metrics that are not measured if they are the preset's own.

    Args:
        merged: all sections. Changed in place.
        chosen: the preset.
    """
    metrics = (merged.get("measure") or {}).get("metrics")
    for section, name in (("publish", "limits"), ("measure", "options")):
        own, here = chosen.pipeline.get(section, {}).get(name, {}), merged.get(section)
        if not isinstance(here, dict) or not own:
            continue
        if here[name] is None:
            here[name] = dict.fromkeys(own)
        if isinstance(here[name], dict) and isinstance(metrics, list | tuple):
            for metric in {*own} & {*here[name]} - {*metrics}:
                if _given(here[name][metric]) in ({}, _given(own[metric])):
                    del here[name][metric]


def _given(values: Any) -> Any:
    """Values without nulls, which a record has and a preset leaves out."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        return values
    return {name: value for name, value in values.items() if value is not None}


def _merge(base: dict[str, Any], extra: Mapping[str, Any]) -> None:
    if {"weights", "model"} & {*extra} and "revision" in base:
        base["revision"] = None  # the commit is that of the weights which are replaced
    for name, value in extra.items():
        if isinstance(value, Mapping) and isinstance(base.get(name), dict):
            _merge(base[name], value)
        else:
            base[name] = value
