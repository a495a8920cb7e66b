"""Clip rows that pass from job to job while their videos stay in the first file."""

import json

import pyarrow.parquet as pq
import pytest

from pipelines.config.fingerprints import dump, fingerprints
from pipelines.config.loading import load_config
from pipelines.publishing.index import build_index
from pipelines.rows import failure
from pipelines.runs.copy_run import copy_run
from pipelines.runs.failures import failures, forget
from pipelines.schema import CLIPS, SOURCES, STEP, rows_table
from pipelines.storage import Storage
from pipelines.tables.clips import (
    CommitClips,
    pending_clips,
    pending_sources,
    read_clip,
    read_found,
    with_videos,
)
from pipelines.tables.sources import write_sources

FIRST, THEN = "steps/clips", "steps/captions"
EDITOR = "editor=tests.pipelines.fakes.editors:Invert"


def clip(source, name, **columns):
    row = dict.fromkeys(STEP.names) | {"source_row": source, "source_uri": source, "seconds": 0.0}
    row |= {"level": "clip", "clip_id": f"{source}{name}", "status": "ok", "clips_in_source": 2}
    return row | {"source_video": f"video {source}{name}".encode() * 100} | columns


@pytest.fixture
def output(tmp_path):
    """Two sources of two clips each, found by a first job. One clip is black."""
    storage = Storage(str(tmp_path / "out"))
    write_sources(storage, rows_table([{"source_row": name} for name in "ab"], SOURCES))
    commit = CommitClips(storage, FIRST, STEP, ["decode"])
    skipped = {"status": "rejected", "error_stage": "decode", "error_type": "Black"}
    commit.commit([clip("a", 1, caption="A cat."), clip("a", 2)])
    commit.commit([clip("b", 1), clip("b", 2, source_video=None, **skipped)])
    return storage


def go_on(output, before, folder, schema, stage, say):
    """Run a job that adds columns to every pending clip."""
    todo = pending_clips(output, before, folder).to_pylist()
    rows = read_found(output, [(item["file"], item["found_row"]) for item in todo])
    rows = [row | say(row) if row["status"] == "ok" else row for row in rows]
    return CommitClips(output, folder, schema, [stage]).commit(rows), rows


def caption(row):
    if row["clip_id"] == "b1":
        return failure("caption", ValueError("too dark"))
    return {"source_prompt": row["caption"] or f"A clip {row['clip_id']}."}


def annotate(output):
    return [
        go_on(output, FIRST, THEN, STEP, "caption", caption)[0],
        go_on(output, THEN, "clips", CLIPS, "target", lambda row: {"targets": []})[0],
    ]


def test_each_job_handles_the_results_of_the_previous_job_that_are_pending(output):
    captioned, done = annotate(output)
    assert [captioned[name] for name in ("rows", "clips", "ok", "rejected", "failed")] == [
        *(4, 4, 2, 1, 1)
    ]
    assert [failed["error_message"] for failed in captioned["failures"]] == ["too dark"]
    # The clip counts as failed, but its failure was reported by the previous job.
    assert (done["failed"], done["failures"]) == (1, [])
    assert len(pending_clips(output, FIRST, THEN)) == len(pending_clips(output, THEN, "clips")) == 0
    sources = rows_table([{"source_row": name} for name in "abc"], SOURCES)
    assert pending_sources(sources, output, FIRST)["source_row"].to_pylist() == ["c"]
    for name in output.find("steps/captions", ".parquet"):
        output.remove(name)
    assert len(pending_clips(output, FIRST, THEN)) == 4


def test_videos_are_stored_once_and_readable_from_every_folder(output):
    annotate(output)
    rows = output.read_folder("clips", ["row_id", "clip_id", "source_video", "found_file"])
    assert rows["source_video"].null_count == 4
    for row in rows.to_pylist():
        read = read_clip(output, row["file"], row["row_id"])
        expected = None if row["clip_id"] == "b2" else f"video {row['clip_id']}".encode() * 100
        assert read["source_video"] == expected
    videos = [row["source_video"] for row in with_videos(output, rows_of(output))]
    assert sorted(video[:8] for video in videos if video) == [b"video a1", b"video a2", b"video b1"]
    # The size of a clip includes the video stored in another folder.
    items = build_index(output, load_config()).clips
    stored = sum(output.sizes("clips").values()) + sum(output.sizes(FIRST).values())
    assert sum(items["bytes"].to_pylist()) == pytest.approx(stored)


def rows_of(output):
    (name,) = output.files("clips", ".parquet")
    return output.read_table(name).to_pylist()


def test_a_failed_clip_is_repeated_from_the_failed_job_on(output):
    annotate(output)
    forget(output, load_config(), failures(output, load_config()))
    assert len(pending_clips(output, FIRST, THEN)) == 1
    _, rows = go_on(output, FIRST, THEN, STEP, "caption", lambda row: {"source_prompt": "Now."})
    assert [row["clip_id"] for row in rows] == ["b1"]
    go_on(output, THEN, "clips", CLIPS, "target", lambda row: {"targets": []})
    found = {row["clip_id"]: row for name in output.files("clips") for row in read(output, name)}
    assert {name: row["status"] for name, row in found.items()} == {
        "a1": "ok", "a2": "ok", "b1": "ok", "b2": "rejected",
    }  # fmt: skip
    assert found["b1"]["source_prompt"] == "Now."


def read(output, name):
    return pq.read_table(output.path(name)).to_pylist()


def test_a_fork_copies_the_videos(output, tmp_path):
    annotate(output)
    config = load_config(assignments=[EDITOR])
    record = {"fingerprints": fingerprints(config), "model_revision": "1", "config": dump(config)}
    output.write("run.json", json.dumps(record | {"phases": {"annotate": {}}}).encode())
    new = Storage(str(tmp_path / "new"))
    assert copy_run(output, new, load_config(assignments=[EDITOR, "edit.lam=0.5"])) == ["annotate"]
    assert with_videos(new, rows_of(new)) == with_videos(output, rows_of(output))


def test_a_fork_of_a_run_without_the_measure_phase_keeps_its_edits(output, tmp_path):
    config = load_config(assignments=[EDITOR])
    prints = {name: value for name, value in fingerprints(config).items() if name != "measure"}
    phases = {"annotate": {}, "plan": {}, "edit": {}, "publish": {}}
    record = {"fingerprints": prints, "model_revision": "1", "config": {}, "phases": phases}
    output.write("run.json", json.dumps(record).encode())
    assert copy_run(output, Storage(str(tmp_path / "new")), config) == ["annotate", "plan", "edit"]
