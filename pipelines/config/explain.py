import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from pipelines.config.config import Config
from pipelines.config.fingerprints import dump


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
