"""A run over clips of mixed lengths: two editors stay busy, and a killed run resumes."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.runs.open_run import open_run
from tests.pipelines.fakes.editors import Proportional
from tests.pipelines.runs.test_tries import KilledError, dataset, files, go_on
from tests.pipelines.support.videos import coded_frames, write_video

WINDOWED = "tests.pipelines.fakes.metrics:Windowed"
COLUMN = "metric_tests_pipelines_fakes_metrics_Windowed"
SETTINGS = [
    *("clip.num_frames=8", "clip.height=64", "clip.width=128", "clip.span=shot"),
    *("clip.split_shots=false", "clip.skip_duplicates=null", "annotate.tracker=none"),
    *("editor=tests.pipelines.fakes.editors:Proportional", f"measure.metrics=['{WINDOWED}']"),
    *("execution.editors=2", "execution.gpus_per_editor=0"),
]
LENGTHS = {**{f"{name}.mp4": 16 for name in "abcdef"}, "z.mp4": 96}
"""Frames of each video. In the order of the plan, the longest clip is the last one, and one editor
would wait for half of the time."""


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_two_editors_are_busy_and_a_killed_run_resumes_to_the_same_dataset(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name, length in LENGTHS.items():
        write_video(tmp_path / "in" / name, coded_frames(length), fps=8)
    rows = [{"uri": name, "caption": "a cat", "targets": ["a dog"]} for name in LENGTHS]
    manifest = tmp_path / "in" / "m.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config, output = load_config(assignments=SETTINGS), tmp_path / "out"
    with open_run(str(output), config, str(manifest)) as run, cluster(config.execution):
        run.all_phases()
        assert run.record.phases["edit"]["busy_percent"] >= 90

    finished = dataset(output)
    assert {row["source_uri"]: row["num_frames"] for row in finished} == LENGTHS
    assert pq.read_table(output / "plan/plan.parquet")["num_frames"].to_pylist() == [
        *LENGTHS.values()
    ]
    for row in finished:
        assert row["status"] == "ok" and row[f"{COLUMN}_worst"] >= row[COLUMN] > 0

    expected = files(output).keys()
    for folder in ("edits", "measures", "dataset"):
        shutil.rmtree(output / folder)
    monkeypatch.setattr(Proportional, "seconds", 0)
    with pytest.raises(KilledError):
        go_on(output, commits=3, names=["edit"])
    (longest,) = (row["edit_id"] for row in finished if row["num_frames"] == 96)
    made = [pq.read_table(output / name)["edit_id"].to_pylist() for name in files(output)]
    assert len(made) == 3 and [longest] in made
    go_on(output)
    assert files(output).keys() == expected
    assert dataset(output) == finished
