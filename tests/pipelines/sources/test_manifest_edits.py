"""The column `edits` of manifests in all formats."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.ids import source_row_id
from pipelines.sources.listing import find_sources

EDITS = [
    {"subject": "red car", "target": "a blue car", "mask_uri": "masks.png", "mask_label": 1},
    {"subject": "dog", "target": "fox", "mask_uri": "masks.png", "mask_label": 2},
]
ROW = {"uri": "a.mp4", "caption": "a red car and a dog", "edits": EDITS}


def write(folder, rows, kind):
    (folder / "masks.png").write_bytes(b"labels")
    manifest = folder / f"manifest.{kind}"
    if kind == "jsonl":
        manifest.write_text("\n".join(json.dumps(row) for row in rows))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), manifest)
    else:
        cells = [row | {"edits": json.dumps(row["edits"])} for row in rows]
        table = pa.Table.from_pylist(cells)
        pa.csv.write_csv(table, manifest)
    return str(manifest)


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
def test_every_format_names_edits_with_masks(tmp_path, kind):
    table = find_sources(write(tmp_path, [ROW], kind), {})
    (row,) = table.to_pylist()
    assert row["problem"] is None
    location = (tmp_path / "masks.png").as_uri()
    assert row["edits"] == [each | {"mask_location": location} for each in EDITS]
    assert ", mask " in row["source_version"]
    (tmp_path / "masks.png").write_bytes(b"other labels")
    (again,) = find_sources(str(tmp_path / f"manifest.{kind}"), {}).to_pylist()
    assert again["source_version"] != row["source_version"]
    assert again["source_row"] == row["source_row"]


def test_masks_may_be_left_to_the_tracker(tmp_path):
    plain = [{"subject": each["subject"], "target": each["target"]} for each in EDITS]
    (row,) = find_sources(write(tmp_path, [ROW | {"edits": plain}], "jsonl"), {}).to_pylist()
    assert row["problem"] is None
    assert [each["mask_location"] for each in row["edits"]] == [None, None]
    given = {"source_uri": "a.mp4"}
    ids = {source_row_id(given | {"edits": edits}) for edits in (None, plain, row["edits"], EDITS)}
    assert len(ids) == 4
    elsewhere = [each | {"mask_location": "/elsewhere"} for each in EDITS]
    assert source_row_id(given | {"edits": elsewhere}) == source_row_id(given | {"edits": EDITS})


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"edits": EDITS[:1]}, "edits must be a list of at least two objects"),
        ({"edits": "a blue car"}, "edits must be a list of at least two objects"),
        ({"edits": [EDITS[0], {"subject": "dog"}]}, "edits must be a list of at least two"),
        ({"edits": [EDITS[0], EDITS[1] | {"colour": "x"}]}, "edits must be a list of at least two"),
        ({"edits": [EDITS[0], EDITS[0]]}, "two have the same subject"),
        ({"subject": "dog"}, "edits stand in the place of subject"),
        ({"targets": ["a fox"]}, "edits stand in the place of targets"),
        (
            {"edits": [EDITS[0], EDITS[1] | {"mask_uri": "../m.png"}]},
            "leaves the manifest's folder",
        ),
        ({"edits": [EDITS[0], EDITS[1] | {"mask_label": -1}]}, "mask_label must be a whole number"),
    ],
)
def test_a_wrong_list_is_a_problem_of_its_row(tmp_path, columns, problem):
    rows = [ROW | columns, {"uri": "b.mp4"}]
    wrong, right = find_sources(write(tmp_path, rows, "jsonl"), {}).to_pylist()
    assert problem in wrong["problem"] and wrong["problem"].startswith("line 1: ")
    assert right["problem"] is None
