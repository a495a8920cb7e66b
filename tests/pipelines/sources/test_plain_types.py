from decimal import Decimal

import pyarrow as pa
import pytest

from pipelines.sources.plain_types import plain_type

TEXT, SMALL = pa.string(), pa.int8()
CODES = pa.dictionary(SMALL, TEXT)
PAIR = [[{"key": "k", "value": 1}], None]
STRICT = pa.struct([pa.field("a", SMALL, nullable=False), pa.field("b", CODES)])


def pairs(value):
    return pa.list_(pa.struct([("key", TEXT), ("value", value)]))


@pytest.mark.parametrize(
    ("values", "kind", "plain", "carried"),
    [
        (["x", None], CODES, TEXT, ["x", None]),
        ([["x"], None], pa.list_(CODES), pa.list_(TEXT), [["x"], None]),
        ([None, [None]], pa.large_list(pa.null()), pa.large_list(TEXT), [None, [None]]),
        ([["x"]], pa.list_(pa.string_view(), 1), pa.list_(TEXT, 1), [["x"]]),
        ([[("k", 1)], None], pa.map_(TEXT, SMALL), pairs(SMALL), PAIR),
        (
            [[("k", {"a": 1, "b": "x"})]],
            pa.map_(TEXT, STRICT),
            pairs(pa.struct([("a", SMALL), ("b", TEXT)])),
            [[{"key": "k", "value": {"a": 1, "b": "x"}}]],
        ),
        ([Decimal("1.20")], pa.decimal32(5, 2), pa.decimal128(5, 2), [Decimal("1.20")]),
    ],
)
def test_values_keep_their_meaning_in_the_plain_type(values, kind, plain, carried):
    assert plain_type(kind) == plain
    assert pa.array(values, kind).cast(plain).to_pylist() == carried


def test_extension_types_become_the_type_of_their_values():
    ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16)))
    assert plain_type(ids.type) == pa.binary(16)
    assert ids.cast(plain_type(ids.type)).to_pylist() == [b"0" * 16]


@pytest.mark.parametrize(
    "kind", [pa.timestamp("ns", "Europe/Berlin"), pa.decimal256(50, 2), pa.list_(pa.float16())]
)
def test_other_types_stay(kind):
    assert plain_type(kind) == kind
