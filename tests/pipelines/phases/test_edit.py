"""Detection of edits that are already done, by file names where these suffice."""

import pyarrow.parquet as pq
import pytest

from pipelines.schema import CLIPS, EDITS, PLAN, rows_table
from pipelines.storage import Storage
from pipelines.tables.edits import commit_edits, committed, edits_file, edits_name, pending_edits
from pipelines.tables.plan import by_clip, write_plan


def planned(clip, *targets):
    common = {"clip_row": clip, "clip_file": "clips/a.parquet", "source_prompt": "a cat"}
    return [common | {"edit_id": f"{clip}-{t}", "target_prompt": t, "seed": 0} for t in targets]


def done(*edit_ids):
    return [{"edit_id": edit_id, "status": "ok"} for edit_id in edit_ids]


def files_of(output, plan):
    return {row["edit_id"]: row["file"] for row in committed(output, plan).to_pylist()}


@pytest.fixture
def output(tmp_path):
    return Storage(str(tmp_path))


def plan_of(output, *rows):
    table = rows_table(list(rows), PLAN)
    clips = [{"row_id": clip} for clip in {row["clip_row"] for row in rows}]
    output.write_table("clips/a.parquet", rows_table(clips, CLIPS))
    write_plan(output, table, {row["clip_row"] for row in rows})
    return table


def test_an_item_holds_all_pending_edits_of_a_clip(output):
    plan = plan_of(output, *planned("1", "x", "y"), *planned("2", "x"))
    pending = pending_edits(output, plan)
    assert pending["edit_ids"].to_pylist() == [["1-x", "1-y"], ["2-x"]]
    assert pending["edits"].to_pylist() == [edits_name(["1-y", "1-x"]), edits_name(["2-x"])]
    commit_edits(output, done("1-y"))
    assert pending_edits(output, plan)["edit_ids"].to_pylist() == [["1-x"], ["2-x"]]
    commit_edits(output, done("1-x"))
    commit_edits(output, done("2-x"))
    assert len(pending_edits(output, plan)) == 0


def test_every_folder_of_tries_has_its_own_edits(output):
    plan = plan_of(output, *planned("1", "x", "y"))
    commit_edits(output, done("1-x", "1-y"))
    again = "edits/try-1"
    assert pending_edits(output, plan, again)["edit_ids"].to_pylist() == [["1-x", "1-y"]]
    commit_edits(output, done("1-x"), again)
    assert pending_edits(output, plan, again)["edit_ids"].to_pylist() == [["1-y"]]
    assert committed(output, plan, again)["file"].to_pylist() == [edits_file(["1-x"], again)]
    assert files_of(output, plan).keys() == {"1-x", "1-y"}


def test_items_keep_the_order_of_the_plan_and_the_edits_of_a_clip(output):
    plan = plan_of(output, *planned("b", "y", "x"), *planned("a", "z"))
    first, second = by_clip(plan).to_pylist()
    assert (first["clip_row"], first["target_prompts"]) == ("b", ["y", "x"])
    assert first["edit_ids"] == ["b-y", "b-x"] and first["seeds"] == [0, 0]
    assert (second["clip_row"], second["edit_ids"]) == ("a", ["a-z"])


def test_files_with_the_edits_of_a_clip_are_found_by_name(output, monkeypatch):
    plan = plan_of(output, *planned("1", "x", "y"))
    commit_edits(output, done("1-y", "1-x"))
    monkeypatch.setattr(Storage, "read_table", None)
    name = edits_file(["1-x", "1-y"])
    assert files_of(output, plan) == {"1-x": name, "1-y": name}


def test_edits_committed_in_several_files_are_found(output):
    rows = planned("1", "x", "y", "z")
    commit_edits(output, done("1-x", "1-y"))
    plan = plan_of(output, *rows)
    assert files_of(output, plan).keys() == {"1-x", "1-y"}
    commit_edits(output, done("1-z"))
    assert files_of(output, plan) == {
        "1-x": edits_file(["1-x", "1-y"]),
        "1-y": edits_file(["1-x", "1-y"]),
        "1-z": edits_file(["1-z"]),
    }
    assert pq.read_schema(output.path(edits_file(["1-z"]))).names == EDITS.names
