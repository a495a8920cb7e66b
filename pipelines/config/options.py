"""Plug-ins and their own options: the part of the contract that all kinds share.

A plug-in is a class, built as `Plugin(config)`. To have settings of its own, the class declares a
model of them as `Options`:

    class Blobs:
        class Options(pipelines.config.options.Options):
            threshold: int = 24
            \"""Least difference from the background, 0–255.\"""

        def __init__(self, config: Config, options: Options) -> None: ...

The values come from the field of the configuration that `options_field` names, are validated when
the configuration is loaded, and are passed as the second argument of the constructor and of every
hook. Hooks are optional class methods:

* `validate(config)`: raises `ConfigError` where the settings cannot work. Called whenever a
  configuration is loaded, so the method reads no file and opens no connection.
* `models(config)`: the weights that the plug-in loads, a list of `strmatch.weights.source.Source`.
  They are checked and fetched before a run, and listed by `strmatch check`. The plug-in loads them
  by `strmatch.weights.locate.local_folder(source, config.execution.access)`.
* `check(config)`: raises where a server or package is missing. Called once before a run.
* `defaults(config)`: values for options that are not given. This hook takes no options.
* `on_gpu`: True for a tracker, a captioner or a metric that runs on a GPU where there is one, in a
  pool of workers. Either a class attribute, or a class method `on_gpu(config)` where settings
  decide that.

`reads` is an optional tuple of fields and sections of the configuration that belong to the plug-in,
as `"annotate.vlm"`. `strmatch config show` prints them where the plug-in is chosen.

The module of a plug-in is imported whenever a configuration that names the plug-in is loaded:
import torch and other slow libraries in the constructor.
"""

import dataclasses
import difflib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pydantic

from pipelines.config.booleans import refuse_booleans
from pipelines.config.config import Config
from pipelines.config.explain import explain
from pipelines.config.sections import STRICT, Section
from pipelines.errors import ConfigError
from pipelines.registry import Kind, find


class Options(Section):
    """Base class of a plug-in's `Options`: unknown keys are refused, values cannot be changed."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """A plug-in that a configuration names."""

    kind: Kind
    name: str
    plugin: Any
    """The class."""
    config: Config

    @property
    def field(self) -> str:
        """The field of the configuration that holds the plug-in's options."""
        fields = {"editor": "editor_options", "metric": f"measure.options.{self.name}"}
        return fields.get(self.kind, f"annotate.{self.kind}_options")

    @property
    def given(self) -> Mapping[str, Any]:
        """The options as the configuration gives them."""
        if self.kind == "editor":
            return self.config.editor_options
        if self.kind == "metric":
            return self.config.measure.options.get(self.name, {})
        return getattr(self.config.annotate, f"{self.kind}_options")

    @property
    def has_options(self) -> bool:
        return hasattr(self.plugin, "Options")

    def options(self) -> Any:
        """An instance of the plug-in's `Options`.

        Raises:
            ConfigError: in one line, which option is unknown or wrong.
        """
        model, given = self.plugin.Options, dict(self.given)
        known = _field_names(model)
        for name in sorted(given.keys() - set(known)):
            near = difflib.get_close_matches(name, known, n=1)
            there = f"there is {', '.join(known)}" if known else "it has none"
            hint = f"; did you mean {self.field}.{near[0]}?" if near else ""
            raise ConfigError(f"{self.field}.{name}: no such option of {self.name}; {there}{hint}")
        if hasattr(self.plugin, "defaults"):
            given = {**self.plugin.defaults(self.config), **given}
        refuse_booleans(model, given, f"{self.field}.")
        try:
            return _adapter(model).validate_python(given)
        except pydantic.ValidationError as error:
            wrong = (each | {"loc": (self.field, *each["loc"])} for each in error.errors())
            told = "; ".join(explain(each) for each in wrong)
            raise ConfigError(f"{told} ({self.kind} {self.name})") from None

    def options_dump(self) -> dict[str, Any]:
        """The options with their defaults, as JSON values; empty if the plug-in declares none."""
        if not self.has_options:
            return {}
        return _adapter(self.plugin.Options).dump_python(self.options(), mode="json")

    def build(self) -> Any:
        """An instance of the plug-in."""
        return self.plugin(*self._arguments())

    def call(self, hook: str) -> Any:
        """What an optional hook of the plug-in returns; None if the plug-in lacks the hook."""
        method = getattr(self.plugin, hook, None)
        return method and method(*self._arguments())

    def _arguments(self) -> tuple[Any, ...]:
        return (self.config, self.options()) if self.has_options else (self.config,)

    @property
    def on_gpu(self) -> bool:
        """Whether the plug-in runs on a GPU where there is one."""
        declared = getattr(self.plugin, "on_gpu", False)
        return declared(*self._arguments()) if callable(declared) else declared

    def validate(self) -> None:
        """Check the options and call the hook `validate`.

        Raises:
            ConfigError: in one line, what cannot work.
        """
        if self.has_options:
            self.options()
        elif self.given and self.kind != "editor":  # an editor may read `editor_options` itself
            raise ConfigError(f"{self.field}: {self.kind} {self.name} has no options")
        self.call("validate")


def _field_names(model: type[Any]) -> list[str]:
    if dataclasses.is_dataclass(model):
        return [field.name for field in dataclasses.fields(model)]
    return list(model.model_fields)


def _adapter(model: type[Any]) -> pydantic.TypeAdapter[Any]:
    """Reads a pydantic model or a dataclass; the latter as strictly as a section."""
    strict = pydantic.with_config(STRICT)
    return pydantic.TypeAdapter(strict(model) if dataclasses.is_dataclass(model) else model)


def choose(kind: Kind, config: Config, name: str | None = None) -> Choice:
    """The plug-in of a kind that a configuration names; of a metric, by its name.

    Raises:
        ConfigError: there is no such plug-in, or its import failed.
    """
    if name is None:
        name = config.editor if kind == "editor" else getattr(config.annotate, kind)
    return Choice(kind, name, find(kind, name), config)


def chosen(config: Config) -> Iterator[tuple[Kind, str]]:
    """Kind and name of every plug-in that a configuration names or has options for."""
    annotate = config.annotate
    yield "tracker", annotate.tracker
    yield "captioner", annotate.captioner
    yield "prompter", annotate.prompter
    yield "editor", config.editor
    for name in dict.fromkeys([*config.measure.metrics, *config.measure.options]):
        yield "metric", name


def installed(config: Config) -> Iterator[Choice]:
    """The plug-ins of `chosen` that are installed here.

    A plug-in that is missing here may be installed where the run takes place. A run refuses an
    unknown name before any work.
    """
    for kind, name in chosen(config):
        with suppress(ConfigError):
            yield choose(kind, config, name)


def validate_choices(config: Config) -> None:
    """Validate every plug-in that a configuration names and that is installed here.

    Raises:
        ConfigError: in one line, what cannot work.
    """
    for choice in [*installed(config)]:
        choice.validate()


def fields_read(config: Config) -> set[str]:
    """Fields and sections of the configuration that belong to the chosen plug-ins."""
    read: set[str] = set()
    for choice in installed(config):
        read |= {*getattr(choice.plugin, "reads", ())}
        if choice.has_options:
            read.add("measure.options" if choice.kind == "metric" else choice.field)
    return read


def option_texts(config: Config) -> dict[str, list[str]]:
    """For each field of options, one line per option that the chosen plug-ins declare."""
    texts: dict[str, list[str]] = defaultdict(list)
    for choice in installed(config):
        if not choice.has_options:
            continue
        field = "measure.options" if choice.kind == "metric" else choice.field
        prefix = f"{choice.name}." if choice.kind == "metric" else ""
        values = choice.options_dump()
        properties = _adapter(choice.plugin.Options).json_schema()["properties"]
        for name, option in properties.items():
            told = " ".join(option.get("description", "").split())
            texts[field].append(f"{prefix}{name}: {told} In effect: {json.dumps(values[name])}.")
    return texts


def recorded_options(config: Config) -> list[dict[str, Any]]:
    """The options of annotators and metrics, with their defaults, as the dataset records them.

    The options of the editor are part of the column `editor_settings`.
    """
    kinds: tuple[Kind, ...] = ("tracker", "captioner", "prompter")
    choices = [choose(kind, config) for kind in kinds]
    choices += [choose("metric", config, name) for name in config.measure.metrics]
    return [
        {"kind": choice.kind, "name": choice.name, "options": choice.options_dump()}
        for choice in choices
        if choice.has_options
    ]
