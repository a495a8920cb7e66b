"""Detection of edits that are already done, by file names where these suffice."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.config.loading import load_config
from pipelines.schema import CLIPS, EDITS, PLAN, rows_table
from pipelines.storage import Storage
from pipelines.tables.edits import commit_edits, committed, edits_file, edits_name, pending_edits
from pipelines.tables.plan import by_clip, write_plan

CONFIG = load_config(assignments=["clip.num_frames=16", "edit.window_stride=8"])


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
    pending = pending_edits(output, plan, CONFIG)
    assert pending["edit_ids"].to_pylist() == [["1-x", "1-y"], ["2-x"]]
    assert pending["edits"].to_pylist() == [edits_name(["1-y", "1-x"]), edits_name(["2-x"])]
    commit_edits(output, done("1-y"))
    assert pending_edits(output, plan, CONFIG)["edit_ids"].to_pylist() == [["1-x"], ["2-x"]]
    commit_edits(output, done("1-x"))
    commit_edits(output, done("2-x"))
    assert len(pending_edits(output, plan, CONFIG)) == 0


def test_clips_with_the_most_windows_to_edit_come_first(output):
    lengths = {"1": 16, "2": 48, "3": None, "4": 40, "5": 17}
    rows = [
        row | {"num_frames": length}
        for clip, length in lengths.items()
        for row in planned(clip, *("x", "y", "z")[: 2 if clip == "4" else 1])
    ]
    pending = pending_edits(output, plan_of(output, *rows), CONFIG)
    found = zip(pending["clip_row"].to_pylist(), pending["windows"].to_pylist(), strict=True)
    # 4 has two edits of four windows; 1 and 3 (of a plan without lengths) keep the plan's order.
    assert [*found] == [("4", 4), ("2", 5), ("5", 2), ("1", 1), ("3", 1)]
    assert pending["edit_ids"].to_pylist()[:2] == [["4-x", "4-y"], ["2-x"]]


def busy(durations, editors=2):
    """The share of the time in which editors work that take the next clip when they are free."""
    ends = [0.0] * editors
    for duration in durations:
        ends[ends.index(min(ends))] += duration
    return sum(durations) / (editors * max(ends))


def test_editors_of_mixed_clips_end_at_about_the_same_time(output):
    """Episodes of 3 to 20 seconds at 8 frames per second, and at the end of the plan a minute."""
    lengths = [*np.random.default_rng(0).integers(24, 160, 12), 480]
    rows = [row | {"num_frames": n} for i, n in enumerate(lengths) for row in planned(str(i), "x")]
    found = pending_edits(output, plan_of(output, *rows), CONFIG).to_pylist()
    assert busy([clip["windows"] for clip in found]) > 0.97
    found.sort(key=lambda clip: int(clip["clip_row"]))
    assert busy([clip["windows"] for clip in found]) < 0.85


def test_every_folder_of_tries_has_its_own_edits(output):
    plan = plan_of(output, *planned("1", "x", "y"))
    commit_edits(output, done("1-x", "1-y"))
    again = "edits/try-1"
    assert pending_edits(output, plan, CONFIG, again)["edit_ids"].to_pylist() == [["1-x", "1-y"]]
    commit_edits(output, done("1-x"), again)
    assert pending_edits(output, plan, CONFIG, again)["edit_ids"].to_pylist() == [["1-y"]]
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
