"""Configurations and their errors as text."""

import dataclasses
import difflib
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic
import yaml

from pipelines.config.config import Config
from pipelines.config.edit import Edit
from pipelines.config.fingerprints import dump
from strmatch.settings import EditSettings


def to_yaml(
    config: Config,
    notes: Mapping[str, Iterable[str]] | None = None,
    reads: Iterable[str] = (),
    base: Config | None = None,
) -> str:
    """A configuration as YAML, every field under its explanation.

    Args:
        config: what is printed.
        notes: further lines of explanation, by field.
        reads: fields and sections that the chosen plug-ins read.
        base: leave out every expert field, and every field of a plug-in that is not in `reads`,
            that has the same value as in this configuration. None: print all fields.
    """
    printer = _Printer(config, notes or {}, frozenset(reads), base)
    return "".join(f"{line}\n" for line in printer.lines())


class _Printer:
    def __init__(
        self,
        config: Config,
        notes: Mapping[str, Iterable[str]],
        reads: frozenset[str],
        base: Config | None,
    ) -> None:
        self.notes = notes
        self.schema = Config.model_json_schema()
        self.values = dump(config)
        self.base = None if base is None else dump(base)
        self.reads = reads
        self.left_out = 0

    def lines(self) -> Iterable[str]:
        yield from self._section(self.schema, self.values, self.base, "", shown=True)
        if self.left_out:
            yield f"# {self.left_out} more settings with --all"

    def _section(
        self, section: Any, values: Any, base: Any, path: str, shown: bool
    ) -> Iterable[str]:
        indent = "  " * path.count(".")
        for name, field in section["properties"].items():
            here = f"{path}{name}"
            default = None if base is None else base[name]
            wanted = shown and (not field.get("of_plugins") or here in self.reads)
            told = [field["description"], *self.notes.get(here, ())]
            comment = [line for text in told for line in _comment(text, indent)]
            if "$ref" in field:
                inner = _definition(self.schema, field)
                lines = [*self._section(inner, values[name], default, f"{here}.", wanted)]
                if lines:
                    yield from (*comment, f"{indent}{name}:", *lines)
            elif base is None or values[name] != default or (wanted and not field.get("expert")):
                yield from comment
                yield f"{indent}{name}: {_inline(values[name])}"
            else:
                self.left_out += 1


def _comment(text: str, indent: str) -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(
        text,
        width=100,
        initial_indent=start,
        subsequent_indent=start,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _inline(value: Any) -> str:
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True)
    return " ".join(text.removesuffix("...\n").split())


def _definition(schema: Mapping[str, Any], field: Mapping[str, Any]) -> dict[str, Any]:
    """The section that a field refers to. Fields of `Edit` are marked by their metadata.

    pydantic does not read the texts of the fields that `Edit` inherits.
    """
    name = field["$ref"].rsplit("/", 1)[-1]
    section = schema["$defs"][name]
    if name == Edit.__name__:
        inherited = pydantic.TypeAdapter(EditSettings).json_schema()["properties"]
        for each in dataclasses.fields(Edit):
            section["properties"][each.name] |= {**inherited.get(each.name, {}), **each.metadata}
    return section


def explain(error: Any) -> str:
    """One pydantic error as `field: what is wrong`, with the nearest name of a field."""
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "value_error":  # raised by our own checks, whose text is complete
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
