"""Checks of settings and arguments against their type annotations.

Numbers of numpy are accepted and converted to those of Python. Arrays are checked by the functions
that convert them.
"""

import difflib
import math
import reprlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from functools import cache, wraps
from inspect import signature
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
AnySettings = TypeVar("AnySettings")

NOUNS = {
    bool: ("True or False", "booleans"),
    int: ("an integer", "integers"),
    float: ("a finite number", "finite numbers"),
    str: ("a string", "strings"),
    NoneType: ("None", "None"),
}
"""Singular and plural of the simple types in messages."""

_hints = cache(get_type_hints)


def check_fields(settings: Any) -> None:
    """Check and convert every field of a frozen dataclass, for its `__post_init__`.

    Raises:
        TypeError, ValueError: as `check`.
    """
    hints = _hints(settings.__class__)
    for field in fields(settings):
        value = check(field.name, getattr(settings, field.name), hints[field.name])
        object.__setattr__(settings, field.name, value)


def checks_arguments(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a function so that its arguments are checked and converted before the call.

    The function then also raises the TypeError and ValueError of `check`.
    """
    shape = signature(function)

    @wraps(function)
    def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        given = shape.bind(*args, **kwargs)
        for name, value in given.arguments.items():
            if name in _hints(function):
                given.arguments[name] = check(name, value, _hints(function)[name])
        return function(*given.args, **given.kwargs)

    return checked


def check(name: str, value: Any, wanted: Any) -> Any:
    """Convert `value` to the type of an annotation.

    Args:
        name: name of the argument or field, for messages.
        value: the value given.
        wanted: an annotation of bool, int, float, str, None, a `Literal` of strings, a tuple or
            sequence of one type, any other class, or a union of these. `Any` and arrays are not
            checked.

    Raises:
        TypeError: the value has another type. A bool is no number, a float is no integer, and a
            string is no sequence.
        ValueError: the number is not finite, or the word is not one of the choices.
    """
    try:
        return _converted(value, wanted)
    except (TypeError, ValueError) as error:
        message = f"{name} must be {_described(wanted)}, got {_shown(value)}"
        raise type(error)(message + did_you_mean(value, _choices(wanted))) from None


def check_minimum(minimum: int, **values: float) -> None:
    """Check that every value is at least `minimum`.

    Raises:
        ValueError: a value is smaller.
    """
    for name, value in values.items():
        if value < minimum:
            raise ValueError(f"{name} must be ≥ {minimum}, got {value}")


def check_shares(**values: float) -> None:
    """Check that every value is from 0 to 1.

    Raises:
        ValueError: a value is outside.
    """
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be from 0 to 1, got {value}")


def with_overrides(settings: AnySettings, **overrides: Any) -> AnySettings:
    """Return a dataclass of settings with some fields replaced.

    Raises:
        TypeError: there is no such field.
    """
    known = [field.name for field in fields(settings)]  # type: ignore[arg-type]
    for name in overrides:
        if name not in known:
            kind = type(settings).__name__
            raise TypeError(f"{kind} has no field {name!r}" + did_you_mean(name, known))
    return replace(settings, **overrides)  # type: ignore[type-var]


def did_you_mean(word: Any, words: Iterable[str]) -> str:
    """The end of a message that names the word nearest to a wrong one. Empty if none is near."""
    near = difflib.get_close_matches(word, words, 1, 0.5) if isinstance(word, str) else []
    return f"; did you mean {near[0]!r}?" if near else ""


def _converted(value: Any, wanted: Any) -> Any:
    """Raises a TypeError or ValueError without a message where `value` does not fit."""
    kind, options = get_origin(wanted) or wanted, get_args(wanted)
    if kind in (Union, UnionType):
        return _as_one_of(value, options)
    if kind is Literal:
        if not isinstance(value, str) or value not in options:
            raise ValueError
        return options[options.index(value)]
    if kind in (tuple, Sequence):
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise TypeError
        return tuple(_converted(each, options[0]) for each in value)
    if kind in (Any, np.ndarray):
        return value
    if kind is float and isinstance(value, Real) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError
        return float(value)
    if kind is int and isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if kind is bool and isinstance(value, np.bool_):
        return bool(value)
    if kind in (int, float) or not isinstance(value, kind):
        raise TypeError
    return value


def _as_one_of(value: Any, options: Iterable[Any]) -> Any:
    kinds = set()
    for option in options:
        try:
            return _converted(value, option)
        except (TypeError, ValueError) as error:
            kinds.add(type(error))
    raise ValueError if ValueError in kinds else TypeError


def _described(wanted: Any) -> str:
    kind, options = get_origin(wanted) or wanted, get_args(wanted)
    if kind in (Union, UnionType):
        return " or ".join(map(_described, options))
    if kind is Literal:
        return " or ".join(map(repr, options))
    if kind in (tuple, Sequence):
        return f"a list of {_plural(options[0])}"
    return NOUNS[kind][0] if kind in NOUNS else f"of type {kind.__name__}"


def _plural(kind: Any) -> str:
    return NOUNS[kind][1] if kind in NOUNS else f"{kind.__name__} objects"


def _choices(wanted: Any) -> list[str]:
    """The words of the `Literal` types in an annotation."""
    if get_origin(wanted) is Literal:
        return [*get_args(wanted)]
    return [word for option in get_args(wanted) for word in _choices(option)]


def _shown(value: Any) -> str:
    """A value in one short line."""
    return " ".join(reprlib.repr(value).split())
