import pyarrow as pa

from pipelines.schema import (
    CLIPS,
    DATASET,
    EDITS,
    SOURCES,
    conform,
    extras_of,
    rows_table,
    unique,
    with_extras,
    with_metrics,
)


def test_a_block_of_failed_rows_keeps_every_column_type():
    blank = pa.Table.from_pylist([dict.fromkeys(CLIPS.names) | {"row_id": "a"}])
    assert pa.types.is_null(blank.schema.field("mask").type)
    assert conform(blank, CLIPS).schema == CLIPS
    assert rows_table([{"row_id": "a", "status": "failed"}], DATASET).schema == DATASET
    assert rows_table([], DATASET).schema == DATASET


def test_missing_columns_become_null_and_surplus_ones_are_dropped():
    table = conform(pa.table({"edit_id": ["x"], "other": [1]}), EDITS)
    assert table.schema == EDITS
    assert table["status"].to_pylist() == [None]


def test_extra_columns_are_the_ones_beyond_the_schema():
    extras = pa.schema([("label", pa.string()), ("n", pa.int8())])
    for schema in (SOURCES, CLIPS, DATASET):
        assert extras_of(with_extras(schema, extras)) == extras


def test_a_metric_of_windows_has_a_column_for_the_worst_one():
    schema = with_metrics(pa.schema([("row_id", pa.string())]), ["a:B", "c"], ["a:B"])
    assert schema.names == ["row_id", "metric_a_B", "metric_a_B_worst", "metric_c"]


def test_unique_keeps_the_first_row_of_every_value_in_order():
    table = pa.table({"key": ["b", "a", "b", None, "a", None], "row": range(6)})
    assert unique(table, "key").to_pylist() == [
        {"key": "b", "row": 0},
        {"key": "a", "row": 1},
        {"key": None, "row": 3},
    ]
