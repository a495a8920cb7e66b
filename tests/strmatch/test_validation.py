import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import pytest

from strmatch.baselines.settings import DMTSettings, SDEditSettings, UniEditSettings, settings_for
from strmatch.settings import EditSettings
from strmatch.validation import check, checks_arguments, did_you_mean

KINDS = [EditSettings, SDEditSettings, DMTSettings, UniEditSettings]
FIELDS = [(kind, field.name) for kind in KINDS for field in dataclasses.fields(kind)]
NAN, INFINITY = float("nan"), float("inf")
WRONG = {
    int: [2.5, 3.0, True, "3", NAN, [1], np.float64(3)],
    float: [True, "1", NAN, INFINITY, -INFINITY, np.float32(NAN), 1j, [1.0], np.zeros(2)],
    bool: [0, 1, "no", np.int64(1), []],
    str: [3, b"a", ["a"], True],
}
"""Values that are refused, by type. None is refused where the annotation lacks it."""


def wrong_values(annotation):
    options = {*get_args(annotation)} or {annotation}
    simple = options & WRONG.keys()
    values = [None] if type(None) not in options else []
    if simple:
        values += WRONG[simple.pop()]
    elif any(isinstance(option, str) for option in options):
        values += ["another word", "", 1, ["str"]]
    else:
        assert tuple[int, ...] in options
        values += [1, "12", {1, 2}, [1.0], ["1"], [True], [None], (0, NAN)]
    return values


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_every_field_of_settings_is_checked_by_its_annotation(kind, name):
    for value in wrong_values(get_type_hints(kind)[name]):
        with pytest.raises((TypeError, ValueError), match=f"^{name} must be ") as raised:
            kind(**{name: value})
        assert "\n" not in str(raised.value) and len(str(raised.value)) < 120


@pytest.mark.parametrize("kind", KINDS)
def test_settings_with_numbers_of_numpy_are_recorded_as_json(kind):
    plain = kind()
    given = {}
    for field in dataclasses.fields(kind):
        value = getattr(plain, field.name)
        numbers = {bool: np.bool_, int: np.int64, float: np.float64}
        given[field.name] = numbers.get(type(value), lambda same: same)(value)
    converted = kind(**given)
    assert converted == plain
    assert json.dumps(dataclasses.asdict(converted)) == json.dumps(dataclasses.asdict(plain))


def test_an_integer_for_a_number_becomes_a_float_and_a_list_a_tuple():
    settings = EditSettings(lam=1, scored_levels=[np.int32(1), 2])
    assert type(settings.lam) is float and settings.lam == 1
    assert settings.scored_levels == (1, 2)
    assert hash(settings) == hash(EditSettings(lam=1.0, scored_levels=(1, 2)))


def test_the_settings_of_a_baseline_refuse_an_unknown_option_by_its_name():
    with pytest.raises(TypeError, match="strenght"):
        settings_for(SDEditSettings, EditSettings(), strenght=0.5)


@pytest.mark.parametrize(
    ("annotation", "value", "error", "message"),
    [
        (int, 2.5, TypeError, "x must be an integer, got 2.5"),
        (float | None, NAN, ValueError, "x must be a finite number or None, got nan"),
        (Literal["row", "layer"], "rows", ValueError, "'row' or 'layer', got 'rows'; did you mean"),
        (Literal["row"] | None, 3, ValueError, "x must be 'row' or None, got 3"),
        (Sequence[str], "a cat", TypeError, "x must be a list of strings, got 'a cat'"),
        (tuple[int, ...] | None, [0.5], TypeError, "a list of integers or None, got"),
        (str | Sequence[EditSettings], 1, TypeError, "a string or a list of EditSettings objects"),
        (EditSettings, {}, TypeError, "x must be of type EditSettings, got {}"),
        (str, np.zeros((9, 9)), TypeError, "x must be a string, got array"),
    ],
)
def test_a_message_names_the_argument_the_choices_and_the_value(annotation, value, error, message):
    with pytest.raises(error) as raised:
        check("x", value, annotation)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_arguments_are_checked_and_converted_before_the_call():
    @checks_arguments
    def join(words: Sequence[str], count: int = 1, **others: Any) -> Any:
        return words, count, others

    assert join(["a"], np.int64(2), other=3) == (("a",), 2, {"other": 3})
    assert join(words=("a",)) == (("a",), 1, {})
    for call in (lambda: join("a"), lambda: join(["a"], count="2"), lambda: join(["a"], 2.0)):
        with pytest.raises(TypeError, match=r"(words|count) must be"):
            call()
    with pytest.raises(TypeError, match="words"):
        join()


def test_only_a_near_word_is_suggested():
    assert did_you_mean("lavei", ["miniature", "lavie"]) == "; did you mean 'lavie'?"
    assert did_you_mean("q", ["miniature", "lavie"]) == did_you_mean(3, ["3"]) == ""
