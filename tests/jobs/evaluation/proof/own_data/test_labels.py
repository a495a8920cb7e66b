import json

import pytest

from jobs.evaluation.proof.own_data.labels import find_label
from pipelines.errors import InputError


def test_columns_and_fields_of_structs_and_of_json_are_labels():
    row = {"a": "jump", "a.b": 3, "meta": {"x": {"y": True}}, "text": json.dumps({"x": 2.5})}
    found = {path: find_label(path, [*row], "t")(row, "r") for path in ("a", "a.b", "meta.x.y")}
    assert found == {"a": "jump", "a.b": "3", "meta.x.y": "True"}
    assert find_label("text.x", [*row], "t")(row, "r") == "2.5"


@pytest.mark.parametrize("value", [None, "", float("nan")])
def test_a_row_without_a_label_is_named(value):
    with pytest.raises(InputError, match="row 7: no label in a"):
        find_label("a", ["a"], "t")({"a": value}, "row 7")


def test_what_is_no_label_is_refused():
    with pytest.raises(InputError, match="is no text, number or truth value"):
        find_label("a", ["a"], "t")({"a": [1]}, "row 7")
    with pytest.raises(InputError, match="run x has no column b.c for --label; it has a"):
        find_label("b.c", ["a"], "run x")
