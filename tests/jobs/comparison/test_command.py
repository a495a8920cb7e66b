"""A comparison of quick editors, killed and repeated, and one of embedded editors."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pandas as pd
import pytest

from jobs.comparison.command import compare
from jobs.comparison.entries import read_editors
from jobs.runs.demo import EXAMPLES, _render
from pipelines.errors import RunError
from pipelines.media.encode import decode_video
from pipelines.runs.open_run import open_run
from tests.pipelines.runs.test_tries import KilledError, without_ray
from tests.pipelines.support.videos import shot, write_video

FAKES = "tests.pipelines.fakes"
DIFFERENCE = f"{FAKES}.metrics:Difference"
SETTINGS = [
    *("clip.num_frames=2", "clip.height=64", "clip.width=128", "annotate.tracker=none"),
    f"measure.metrics=['{DIFFERENCE}']",
    f"publish.limits={{'{DIFFERENCE}': {{min: 5}}}}",
]
TARGETS = {"a.mp4": ["a dog", "never a fox"], "b.mp4": ["a dog"]}


NAMES = ("signed", "noise")


def dataset(output, name):
    read = pd.read_parquet(output / "editors" / name / "dataset")
    return read[read["level"] == "edit"].sort_values(["source_uri", "target_prompt"])


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    rows = []
    for seed, (name, targets) in enumerate(TARGETS.items()):
        write_video(folder / name, shot(seed, 2, size=(64, 128)))
        rows.append({"uri": name, "caption": "a cat", "targets": targets})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "notes").mkdir()
    options = {"notes": str(folder / "notes")}
    settings = {"editor": f"{FAKES}.editors:Signed", "editor_options": options}
    (folder / "signed.yaml").write_text(json.dumps(settings))
    return folder


def configs(work, *names):
    entries = {"signed": work / "signed.yaml", "noise": f"{FAKES}.editors:Seeded"}
    text = ",".join(f"{name}={entries[name]}" for name in names)
    return read_editors(text, "miniature", None, SETTINGS)


def command(work, *names, output="out"):
    compare(str(work / "manifest.jsonl"), str(work / output), configs(work, *names), None)


def times(output, name):
    """When the files of an editor's edits were written."""
    files = (output / "editors" / name / "edits").glob("*.parquet")
    return {file: file.stat().st_mtime_ns for file in files}


@pytest.fixture(scope="module")
def compared(work, ray_cluster):
    """The output of a comparison that was killed before the first edit of the second editor was
    measured, and repeated.
    """
    output = work / "out"
    annotated, signed = str(output / "editors" / "signed"), configs(work, *NAMES)["signed"]
    with open_run(annotated, signed, str(work / "manifest.jsonl")) as run:
        run.run_phases(["annotate"])
    with without_ray(commits=6), pytest.raises(KilledError):
        command(work, *NAMES)
    assert not (output / "_SUCCESS").exists()
    made = {name: times(output, name) for name in NAMES}
    assert [len(files) for files in made.values()] == [2, 2]
    with without_ray(commits=2):
        command(work, *NAMES)
    assert made == {name: times(output, name) for name in NAMES}
    return output


def test_every_editor_has_the_same_clips_and_targets(compared):
    keys = ["clip_id", "source_prompt", "target_prompt", "source_video"]
    first, other = (dataset(compared, name) for name in NAMES)
    assert len(first) == 3
    assert other[keys].values.tolist() == first[keys].values.tolist()
    assert not {*other["edit_id"]} & {*first["edit_id"]}
    records = [json.loads(file.read_text()) for file in compared.glob("editors/*/run.json")]
    assert len(records) == 2
    assert records[0]["phases"]["annotate"] == records[1]["phases"]["annotate"]


def test_a_killed_comparison_makes_nothing_twice(work, compared):
    notes = [json.loads(file.read_text()) for file in (work / "notes").iterdir()]
    made = Counter(note["target_prompt"] for note in notes)
    assert made == Counter(target for targets in TARGETS.values() for target in targets)
    assert (compared / "_SUCCESS").exists()


def test_figures_are_those_of_the_datasets(compared):
    found = json.loads((compared / "figures.json").read_text())["editors"]
    column = "metric_tests_pipelines_fakes_metrics_Difference"
    for name, own in found.items():
        rows = dataset(compared, name)
        assert own["edits"] == 3
        assert own["values"]["ok"]["value"] == pytest.approx((rows["status"] == "ok").mean())
        metric = own["values"][column.removeprefix("metric_")]
        assert metric["value"] == pytest.approx(rows[column].mean())
    assert found["signed"]["values"]["ok"]["value"] == pytest.approx(2 / 3)
    assert found["noise"]["values"]["ok"]["value"] == 0, "an editor without an ok edit counts"
    assert found["noise"]["differences"]["ok"]["value"] == pytest.approx(-2 / 3)


def test_the_page_has_rows_of_the_same_clip_and_target(compared):
    text = (compared / "report" / "comparison.js").read_text()
    rows = json.loads(text.partition("const ROWS = ")[2].rstrip(";\n"))
    assert [row["target_prompt"] for row in rows] == ["a dog", "never a fox", "a dog"]
    assert [row["edits"][0]["status"] for row in rows] == ["ok", "failed", "ok"]
    for row in rows:
        for name, edit in zip(NAMES, row["edits"], strict=True):
            own = dataset(compared, name).set_index("row_id").loc[edit["row_id"]]
            assert own["target_prompt"] == row["target_prompt"]
            assert ("edit" in edit["videos"]) == (own["status"] != "failed")
            for kind in edit["videos"]:
                video = compared / "report" / "clips" / f"{edit['row_id']}-{kind}.mp4"
                assert decode_video(video.read_bytes()).shape == (2, 64, 128, 3)


def test_a_plan_changed_by_hand_is_that_of_all_editors(work, compared):
    output = shutil.copytree(compared, work / "changed")
    (plan,) = (output / "editors" / "signed" / "plan").glob("*.parquet")
    rows = pd.read_parquet(plan)
    rows[rows["target_prompt"] != "never a fox"].to_parquet(plan)
    stale = output / "editors" / "noise" / "clips" / "stale.parquet"
    stale.write_bytes(b"of an earlier version of the input")
    with without_ray(commits=2):  # the metrics of one clip by two editors
        command(work, *NAMES, output="changed")
    assert not stale.exists()
    for name in NAMES:
        assert dataset(output, name)["target_prompt"].tolist() == ["a dog", "a dog"]
    found = json.loads((output / "figures.json").read_text())["editors"]
    assert [own["edits"] for own in found.values()] == [2, 2]


def test_another_comparison_is_refused_before_any_work(work, compared):
    before = (compared / "figures.json").stat().st_mtime_ns
    with pytest.raises(RunError, match="holds a comparison of signed,noise: name these first"):
        command(work, "noise", "signed")
    with pytest.raises(RunError, match="holds a run"):
        command(work, "signed", "noise", output="out/editors/signed")
    assert (compared / "figures.json").stat().st_mtime_ns == before


def test_an_editor_that_cannot_work_is_named_before_any_work(work, tmp_path):
    options = f"{{editor: {FAKES}.editors:Signed, editor_options: {{notes: 3}}}}"
    (tmp_path / "wrong.yaml").write_text(options)
    missing = "{editor: str_match, backbone: {weights: /no/such/model}}"
    (tmp_path / "missing.yaml").write_text(missing)
    for name, why in (("wrong", "notes"), ("missing", "missing: .*/no/such/model")):
        with pytest.raises(RunError, match=why):
            entries = f"noise={FAKES}.editors:Seeded,{name}={tmp_path / name}.yaml"
            every = read_editors(entries, "miniature", None, SETTINGS)
            compare(str(work / "manifest.jsonl"), str(tmp_path / "out"), every, None)
    assert not [*(tmp_path / "out").rglob("*.parquet")][1:], "nothing but the list of sources"


@pytest.mark.slow
def test_three_embedded_editors_of_which_the_third_is_added_after_a_kill(tmp_path):
    rows = [_render(tmp_path, example) for example in EXAMPLES[:2]]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    output = tmp_path / "out"
    words = ["compare", "--input", str(tmp_path / "manifest.jsonl"), "--output", str(output)]
    words += ["--set", "edit.num_inference_steps=2"]
    words += ["--set", "measure.metrics=[changed, motion_error]", "--editors"]
    program = [sys.executable, "-m", "jobs.cli", *words]
    process = subprocess.Popen([*program, "str_match,sdedit"])
    until = time.monotonic() + 300
    while not [*output.glob("editors/sdedit/edits/*.parquet")]:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = {file: file.stat().st_mtime_ns for file in output.glob("editors/*/[em][de]*/*.parquet")}
    ended = subprocess.run([*program, "str_match,sdedit,dmt"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert {file: file.stat().st_mtime_ns for file in made} == made
    found = json.loads((output / "figures.json").read_text())["editors"]
    assert [own["edits"] for own in found.values()] == [4, 4, 4]
    for own in found.values():
        low, value, high = (own["values"]["motion_error"][k] for k in ("low", "value", "high"))
        assert low <= value <= high
        assert own["values"]["seconds"]["value"] > 0
    assert found["dmt"]["pairs"]["motion_error"] == 4
    assert "seconds an edit" in ended.stdout
