"""Rows that kill or hang their worker among valid rows, on a real local cluster."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.config.sections import Execution
from pipelines.errors import RunError
from pipelines.media.encode import encode_video
from pipelines.reliability import resilient_work
from pipelines.reliability.resilient_work import PhaseWork
from pipelines.runs.open_run import open_run

pytestmark = pytest.mark.usefixtures("ray_cluster")
GOOD = 6
SMALL = ["clip.num_frames=2", "clip.height=32", "clip.width=32"]
SMALL += ["execution.attempts=2", "annotate.captioner=template"]
SMALL += ["measure.metrics=[tests.pipelines.fakes.metrics:Difference]"]
HASTY = "execution.deadline=10"
"""Longer than what a worker on a busy machine imports with its first clip."""


def write_video(path, colour):
    frames = np.full((2, 32, 32, 3), colour, np.uint8)
    path.write_bytes(encode_video(frames, 8.0))


def run(folder, *assignments):
    config = load_config(assignments=[*SMALL, *assignments])
    with (
        open_run(str(folder / "out"), config, str(folder / "in" / "manifest.jsonl")) as run,
        cluster(config.execution),
    ):
        run.all_phases()
    return pd.read_parquet(folder / "out" / "dataset")


def write_manifest(folder, rows):
    (folder / "in" / "manifest.jsonl").write_text("\n".join(json.dumps(row) for row in rows))


@pytest.fixture
def videos(tmp_path):
    (tmp_path / "in").mkdir()
    for index in range(GOOD):
        write_video(tmp_path / "in" / f"good{index}.mp4", (90, 100 + index, 90))
    write_video(tmp_path / "in" / "red.mp4", (250, 0, 0))
    write_video(tmp_path / "in" / "blue.mp4", (0, 0, 250))
    write_video(tmp_path / "in" / "green.mp4", (0, 250, 0))
    (tmp_path / "in" / "rotten.mp4").write_bytes(b"\0" * 1000)
    return tmp_path


def reasons(rows):
    failed = rows[rows["status"] != "ok"].fillna({"target_prompt": ""})
    return {
        row["target_prompt"] or row["source_uri"]: (row["error_stage"], row["error_type"])
        for row in failed.to_dict("records")
    }


class Items(PhaseWork):
    """Work for two workers, of which the tests use only the division into portions."""

    name = "edit"
    key = "item"
    max_items = 4096

    def __init__(self, first_rows):
        super().__init__(None, Execution(), workers=2)
        self.first_rows = first_rows

    def first_block_size(self, items):
        return self.first_rows

    pending = build = commit_failure = None


def portions(items, first_rows, most_rows, seconds, monkeypatch):
    """Sizes of portions and blocks if each item takes `seconds` of a worker's time."""
    clock = [0.0]
    monkeypatch.setattr(resilient_work.time, "monotonic", lambda: clock[0])
    work = Items(first_rows)
    found = []
    for portion, rows in resilient_work.shards(work, pa.table({"item": range(items)}), most_rows):
        found.append((len(portion), rows))
        clock[0] += len(portion) * seconds / work.workers
    assert sum(size for size, _ in found) == items
    return found


def test_little_work_is_one_portion(monkeypatch):
    assert portions(2000, 1, 4096, 60.0, monkeypatch) == [(2000, 1)]
    assert portions(100_000, 64, 64, 0.1, monkeypatch) == [(100_000, 64)]
    assert portions(0, 1, 4096, 60.0, monkeypatch) == []


def test_many_short_items_are_processed_in_large_blocks(monkeypatch):
    # 16 clips are timed at 10 ms each, so 1,000 take ten seconds
    assert portions(100_000, 1, 4096, 0.01, monkeypatch) == [(16, 1), (99_984, 1000)]
    assert portions(100_000, 1, 4096, 0.001, monkeypatch) == [(16, 1), (99_984, 4096)]


def test_many_long_items_are_processed_singly_in_bounded_portions(monkeypatch):
    found = portions(5000, 1, 4096, 60.0, monkeypatch)
    assert found == [(16, 1), (2000, 1), (2000, 1), (984, 1)]


@pytest.mark.slow
def test_an_edit_or_metric_that_kills_or_hangs_its_worker_fails_alone(videos):
    good = [{"uri": f"good{i}.mp4", "targets": [f"number {i}"]} for i in range(GOOD)]
    bad = [{"uri": "red.mp4", "targets": [what]} for what in ("kill", "hang", "raise")]
    bad += [{"uri": "blue.mp4", "targets": ["kill the metric"]}]
    bad += [{"uri": "green.mp4", "targets": ["hang the metric"]}]
    write_manifest(videos, [*good[:2], *bad, {"uri": "rotten.mp4"}, *good[2:]])
    rows = run(
        videos,
        "editor=tests.pipelines.fakes.editors:Poisoned",
        "annotate.tracker=none",
        "measure.metrics=[tests.pipelines.fakes.metrics:Poisoned]",
        HASTY,
    )
    assert rows["status"].value_counts().to_dict() == {"ok": GOOD, "failed": 6}
    assert reasons(rows) == {
        "kill": ("edit", "WorkerDied"),
        "hang": ("edit", "Deadline"),
        "raise": ("edit", "RuntimeError"),
        "kill the metric": ("measure", "WorkerDied"),
        "hang the metric": ("measure", "Deadline"),
        "rotten.mp4": ("decode", "NotAVideo"),
    }
    found = rows.set_index("target_prompt")
    messages = found["error_message"]
    assert messages["kill"] == "was alone in 2 processes that died (a crash, or out of memory)"
    assert messages["hang"] == "took longer than 10 s, execution.deadline, and was ended"
    assert found.loc[["kill the metric", "hang the metric"], "edited_video"].notna().all()


@pytest.mark.slow
def test_a_further_try_that_kills_its_worker_fails_alone(videos):
    targets = ["needs 0", "needs 1", "kill 1", "needs 2"]
    write_manifest(
        videos, [{"uri": f"good{i}.mp4", "targets": [what]} for i, what in enumerate(targets)]
    )
    rows = run(
        videos,
        "editor=tests.pipelines.fakes.editors:Improving",
        "annotate.tracker=none",
        "edit.tries=2",
        "publish.limits={'tests.pipelines.fakes.metrics:Difference': {max: 20}}",
    )
    assert reasons(rows) == {"kill 1": ("edit", "WorkerDied")}
    assert dict(zip(rows["target_prompt"], rows["edit_try"], strict=True)) == {
        "needs 0": 0,
        "needs 1": 1,
        "kill 1": 1,
        "needs 2": 2,
    }


@pytest.mark.slow
def test_a_clip_that_kills_or_hangs_its_annotation_fails_alone(videos):
    """Red and blue clips are poison for the tracker, which runs in tasks; green for a pool."""
    names = ["red.mp4", "blue.mp4", "green.mp4"]
    names = [*(f"good{i}.mp4" for i in range(3)), *names, "good3.mp4"]
    write_manifest(videos, [{"uri": name, "targets": ["a fox"]} for name in names])
    rows = run(
        videos,
        "editor=tests.pipelines.fakes.editors:Invert",
        "annotate.captioner=tests.pipelines.fakes.captioners:Poisoned",
        "annotate.tracker=tests.pipelines.fakes.trackers:Poisoned",
        HASTY,
    )
    assert reasons(rows) == {
        "red.mp4": ("track", "WorkerDied"),
        "blue.mp4": ("track", "Deadline"),
        "green.mp4": ("caption", "WorkerDied"),
    }
    assert (rows["status"] == "ok").sum() == 4


def test_a_phase_stops_early_with_the_cause_if_all_rows_fail_alike(videos):
    targets = [f"number {i}" for i in range(10)]
    write_manifest(videos, [{"uri": f"good{i}.mp4", "targets": targets} for i in range(GOOD)])
    stopped = r"edit stopped: \d+ rows in a row failed alike \(edit: RuntimeError: no GPU any more"
    with pytest.raises(RunError, match=stopped):
        run(videos, "editor=tests.pipelines.fakes.editors:Hopeless", "annotate.tracker=none")


def test_too_large_a_share_of_failures_stops_the_phase(videos):
    rotten = [{"uri": "rotten.mp4", "id": str(i)} for i in range(2)]
    write_manifest(videos, [{"uri": "good0.mp4", "targets": ["a fox"]}, *rotten])
    with pytest.raises(RunError, match="annotate stopped: 2 of 3 rows failed, more than exec"):
        run(videos, "execution.max_failed_share=0.5", "annotate.tracker=none")
