"""A run that edits two objects at once, killed twice, up to its report and an export."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from pipelines.media import masks
from pipelines.media.encode import encode_video
from strmatch.miniature.scenes import caption, sample_scene
from strmatch.miniature.several import sample_several
from strmatch.miniature.world import render

SETTINGS = (
    *("annotate.objects_per_edit=2", "editor=tests.pipelines.fakes.editors:Slow"),
    *("measure.metrics=[changed, background_difference]", "publish.limits=null"),
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def manifest(tmp_path):
    """Two clips of two figures, one of a single figure, and one with edits of the manifest."""
    folder = tmp_path / "in"
    folder.mkdir()
    scenes = [sample_several(502, "dev"), sample_several(505, "dev"), sample_scene(7, "dev")]
    rows = []
    for number, scene in enumerate(scenes):
        video = encode_video(render([scene]).frames[0].numpy(), 8.0, 12)
        (folder / f"{number}.mp4").write_bytes(video)
        rows.append({"uri": f"{number}.mp4", "id": f"{number}", "caption": caption(scene)})
    figures = [f"{sprite.colour} {sprite.shape}" for sprite in scenes[0].sprites]
    edits = [{"subject": words, "target": "a pink shape"} for words in figures]
    rows.append(rows[0] | {"edits": edits, "id": "given", "uri": "0.mp4"})
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *map(str, arguments)], start_new_session=True
    )


def kill_after(process, output, files):
    """Kill a command and its workers when the run has committed a number of files of edits."""
    while process.poll() is None and len([*output.glob("edits/*.parquet")]) < files:
        time.sleep(0.1)
    assert process.poll() is None, "the command ended before it was killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_killed_run_resumes_to_rows_report_and_export_of_both_objects(manifest, tmp_path):
    output = tmp_path / "out"
    command = ["run", "--input", manifest, "--output", output]
    command += [part for setting in SETTINGS for part in ("--set", setting)]
    for files in (1, 2):
        kill_after(start(*command), output, files)
    assert start(*command).wait() == 0
    rows = pd.read_parquet(output / "dataset").to_dict("records")
    assert [row["status"] for row in rows] == ["ok"] * 7
    assert len({row["row_id"] for row in rows}) == 7
    several = [row for row in rows if row["target_kind"] == "several"]
    assert [row["source_id"] for row in several].count("given") == 1 and len(several) == 5
    for row in several:
        objects = {each["id"]: masks.decode(each["mask"]) for each in row["objects"]}
        assert [each["object"] for each in row["edits"]] == [*objects] == [0, 1]
        assert (masks.decode(row["mask"]) == objects[0] | objects[1]).all()
        assert [values["changed"] > 0.5 for values in json.loads(row["edit_metrics"])] == [True] * 2
        assert row["metric_background_difference"] < 3
    single = [row for row in rows if row["target_kind"] != "several"]
    assert all(row["edits"] is None and row["objects"] is None for row in single)

    text = (output / "report" / "rows-000.js").read_text()
    shown = json.loads(text.removeprefix("addRows(").removesuffix(");\n"))
    assert sum(len(row.get("edits", ())) == 2 for row in shown) == 5
    assert start("export", "pairs", output, "--to", tmp_path / "pairs").wait() == 0
    lines = (tmp_path / "pairs" / "pairs.jsonl").read_text().splitlines()
    assert sum(" and " in json.loads(line)["prompt"] for line in lines) >= 5
