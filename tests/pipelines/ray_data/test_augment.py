"""The plug-in on datasets of a user, beside a run on the same videos."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray.data

from jobs.runs import commands
from pipelines.config.loading import load_config
from pipelines.media.encode import decode_video
from pipelines.ray_data import augment
from pipelines.schema import DATASET, with_metrics
from tests.clusters import ROOT
from tests.pipelines.fakes.editors import colour
from tests.pipelines.support.videos import coded_frames, write_video

SETTINGS = [
    *("clip.num_frames=4", "clip.height=64", "clip.width=128", "annotate.tracker=none"),
    *("measure.metrics=['tests.pipelines.fakes.metrics:Difference']", "execution.attempts=2"),
    *(
        "publish.limits=null",
        "execution.gpus_per_editor=0",
        "clip.max_clips_per_video=1",
        "editor=tests.pipelines.fakes.editors:Poisoned",
    ),
]
METRIC = "metric_tests_pipelines_fakes_metrics_Difference"
TARGETS = {"a": ["a dog", "a fox"], "b": ["raise", "a dog"], "c": None, "d": ["kill"]}
TARGETS |= {"missing": ["a dog"]}
UNEQUAL = {"seconds", "inversion_seconds", "measure_seconds"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A folder of videos with a manifest, in which b has an id and c is no video."""
    folder = tmp_path_factory.mktemp("videos")
    for number, name in enumerate("abd"):
        write_video(folder / f"{name}.mp4", coded_frames(12)[4 * number :][:4], fps=8)
    (folder / "c.mp4").write_bytes(b"rotten" * 100)
    rows = [
        {"uri": f"{name}.mp4", "caption": "a cat", "targets": targets, "label": number}
        for number, (name, targets) in enumerate(TARGETS.items())
    ]
    rows[1]["id"] = "b's own"
    (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_rows_are_those_of_a_run_beside_the_users_columns(videos, tmp_path, ray_cluster):
    config = load_config(assignments=SETTINGS)
    commands.run(str(videos / "m.jsonl"), str(tmp_path / "run"), config, None)
    lines = (videos / "m.jsonl").read_text().splitlines()
    given = [{"id": None} | json.loads(line) for line in lines]
    rows = [row | {"video": row.pop("uri")} for row in given]
    rows[0]["video"] = str(videos / "a.mp4")  # below the root
    blocks = ray.data.from_items(rows, override_num_blocks=2)
    tables = ray.get(augment(blocks, config, root=str(videos)).to_arrow_refs())
    ours = with_metrics(DATASET, config.measure.metrics).names
    schemas = {str(table.select(ours).schema.remove_metadata()) for table in tables}
    assert len(schemas) == 1  # of failed rows alone, too
    table = pa.concat_tables(tables, promote_options="default")
    published = {row["row_id"]: row for row in pq.read_table(tmp_path / "run/dataset").to_pylist()}
    found = {row["row_id"]: row for row in table.to_pylist()}
    assert len(found) == len(table) == 7
    assert found.keys() == published.keys()
    for name, expected in published.items():
        row = found[name]
        same = expected.keys() - UNEQUAL - {"edited_video"}
        assert {column: row[column] for column in same} == {c: expected[c] for c in same}
        assert row["edited_video"] == expected["edited_video"]
        assert row["video"] == rows[row["label"]]["video"]
    outcomes = Counter((row["label"], row["level"], row["error_type"]) for row in found.values())
    assert outcomes == {
        (0, "edit", None): 2,
        (1, "edit", None): 1,
        (1, "edit", "RuntimeError"): 1,
        (2, "source", "NotAVideo"): 1,
        (3, "edit", "WorkerDied"): 1,
        (4, "source", "FileMissing"): 1,
    }
    assert all(row[METRIC] > 30 for row in found.values() if row["status"] == "ok")


PAGE = ROOT / "docs" / "ray_data.md"
PROMPTS = [f"dog {number}" for number in range(6)]
CONFIG = """load_config(assignments=[
    "clip.num_frames=4", "clip.height=64", "clip.width=128", "annotate.tracker=none",
    "measure.metrics=[background_difference, 'tests.pipelines.fakes.metrics:Difference']",
    "publish.limits=null", "execution.gpus_per_editor=0", "execution.editors=2",
    "editor=tests.pipelines.fakes.editors:SlowlySigned", "editor_options.notes=notes",
])"""


@pytest.mark.timeout(300)
def test_the_example_of_the_page_edits_nothing_twice_after_a_kill(tmp_path, ray_cluster):
    """The program is that of the page, with an editor that notes each edit, and a metric of its
    own in the filter."""
    program, *_ = re.findall(r"```py\n(.*?)```", PAGE.read_text(), re.DOTALL)
    config = CONFIG.replace("=notes", f"={tmp_path / 'notes'}")
    program = program.replace('load_config("miniature")', config)
    program = program.replace("metric_background_difference < 10", f"{METRIC} > 1 and label != 3")
    assert config in program and METRIC in program
    (tmp_path / "videos").mkdir()
    (tmp_path / "notes").mkdir()
    for number in range(6):
        frames = coded_frames(24)[4 * number :][:4]
        write_video(tmp_path / "videos" / f"{number}.mp4", frames, fps=8)
    rows = [
        {"id": f"row {n}", "video": f"{n}.mp4", "caption": "a cat", "targets": [PROMPTS[n]]}
        | {"label": n}
        for n in range(6)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "clips.parquet")
    address = ray.get_runtime_context().gcs_address
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": address}

    def begin():
        return subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    first, until = begin(), time.monotonic() + 120
    while len(list((tmp_path / "cache").glob("edits/*.parquet"))) < 2:
        assert first.poll() is None and time.monotonic() < until, first.communicate()[1][-2000:]
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = cached(tmp_path)
    assert 2 <= len(kept) < 6
    second = begin()
    _, said = second.communicate(timeout=200)
    assert second.returncode == 0, said[-2000:]

    made = Counter(json.loads(note.read_text())["target_prompt"] for note in notes(tmp_path))
    assert made.keys() == {*PROMPTS}
    assert {prompt: made[prompt] for prompt in kept} == dict.fromkeys(kept, 1)
    assert made.total() <= 6 + 2  # an edit of each editor was interrupted
    written = pq.read_table(tmp_path / "edited").to_pylist()
    assert sorted(row["label"] for row in written) == [0, 1, 2, 4, 5]
    assert sorted(cached(tmp_path)) == sorted(made)


def notes(folder: Path) -> list[Path]:
    return list((folder / "notes").iterdir())


def cached(folder: Path) -> list[str]:
    """The target prompts of the edits that the cache holds, by their colours."""
    colours = {prompt: colour("a cat", prompt).astype(int) for prompt in PROMPTS}
    found = []
    for file in (folder / "cache").glob("edits/*.parquet"):
        for row in pq.read_table(file, columns=["edited_video"]).to_pylist():
            seen = decode_video(row["edited_video"])[0, :, -32:].mean(axis=(0, 1))
            found.append(min(PROMPTS, key=lambda prompt: abs(colours[prompt] - seen).sum()))
    return found
