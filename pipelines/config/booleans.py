"""Refuse true and false where a number is meant. pydantic would read them as 1 and 0."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard, get_args, get_type_hints

import pydantic

from pipelines.errors import ConfigError


def refuse_booleans(kind: type[Any], values: Mapping[str, Any], place: str = "") -> None:
    """Check values that a pydantic model or a dataclass is to be built of.

    Args:
        place: the section of the values with a period, for the message.

    Raises:
        ConfigError: names the first field.
    """
    for name in _wrong(kind, values, place):
        raise ConfigError(f"{name}: a number is expected, got true or false")


def _wrong(kind: type[Any], values: Mapping[str, Any], place: str) -> Iterator[str]:
    hints = get_type_hints(kind)
    for name, value in values.items():
        hint = hints.get(name)
        kinds = {hint, *get_args(hint)}
        if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
            yield f"{place}{name}"
        elif isinstance(value, Mapping) and _has_fields(hint):
            yield from _wrong(hint, value, f"{place}{name}.")


def _has_fields(hint: Any) -> TypeGuard[type[Any]]:
    model = isinstance(hint, type) and issubclass(hint, pydantic.BaseModel)
    return model or (isinstance(hint, type) and dataclasses.is_dataclass(hint))
