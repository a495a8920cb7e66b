"""The command as a person types it, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from pipelines.media.video import decode_video
from tests.pipelines.support.videos import coded_frames, write_audio, write_video

COMMANDS = [
    *("run", "annotate", "plan", "edit", "measure", "publish", "demo", "config", "config show"),
    *("failures", "retry", "submit", "job status", "job logs", "job stop"),
    *("generate", "evaluate", "study", "bench", "train-miniature", "weights", "weights fetch"),
]


def strmatch(*arguments, cwd=None, **environment):
    command = [str(Path(sys.executable).parent / "strmatch"), *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"COLUMNS": "100", "OMP_NUM_THREADS": "1"} | environment,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_example(command):
    shown = strmatch(*command.split(), "--help")
    assert shown.returncode == 0
    assert f"Example: strmatch {command}" in shown.stdout
    assert f" {command.split()[0]} " in strmatch("--help").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "edit.lamb=1"], "edit.lamb: no such key; did you mean edit.lam?"),
        (["--config", "{here}/config.yaml"], "edti: no such key; did you mean edit?"),
        (["--input", "{here}/nowhere"], "nowhere: there is no such file or folder"),
        (["--output", "{here}/in/a.mp4/out"], "cannot be used"),
        (["--preset", "lavie"], "the preset 'lavie' ships no weights"),
        (["--set", "annotate.tracker=sam"], "no tracker 'sam'"),
        (["--set", "backbone.weights={here}"], "is no model folder: it has no unet/"),
    ],
)
def test_what_cannot_work_is_one_line_before_any_work(tmp_path, arguments, message):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").touch()
    (tmp_path / "config.yaml").write_text("edti: {lam: 1}")
    options = {"--input": tmp_path / "in", "--output": tmp_path / "out"}
    given = [argument.format(here=tmp_path) for argument in arguments]
    if given[0] in options:
        options[given[0]] = given[1]
        given = []
    ended = strmatch("run", *(part for option in options.items() for part in option), *given)
    assert ended.returncode == 1
    assert ended.stdout == ""
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "out" / "clips").exists()


def test_a_phase_alone_needs_a_run(tmp_path):
    ended = strmatch("edit", "--output", tmp_path)
    assert ended.returncode == 1
    assert "there is no run; start with `strmatch annotate`" in ended.stderr


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A folder as it comes from the world, under a name as it comes from the world."""
    folder = tmp_path_factory.mktemp('it\'s a "folder" of vidéos')
    frames = coded_frames(32)
    write_video(folder / "good clip 'é'.mp4", frames, fps=16)
    whole = write_video(folder / "truncated.mp4", frames, fps=16).read_bytes()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "zero.mp4").touch()
    (folder / "text.mp4").write_text("This is not a video.\n" * 100)
    write_audio(folder / "audio only.mp4")
    write_video(folder / "av1.mp4", frames, fps=16, codec="libsvtav1")
    return folder


@pytest.fixture(scope="module")
def by_phases(hostile, tmp_path_factory):
    """A run of the hostile folder, a command a phase; its output, its options, its last command.

    It runs in a folder whose own packages are called like ours.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    for package in ("jobs", "pipelines"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text("raise RuntimeError('not ours')")
    output = folder / "out put"
    settings = ["edit.num_inference_steps=1", "annotate.targets_per_clip=1"]
    settings += ["annotate.captioner=template", "measure.metrics=[motion_error]"]
    options = [part for setting in settings for part in ("--set", setting)]
    ended = strmatch("annotate", "--input", hostile, "--output", output, *options, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    for phase in ("plan", "edit", "measure", "publish"):
        ended = strmatch(phase, "--output", output, cwd=folder)
        assert ended.returncode == 0, ended.stderr
    return output, options, ended


def test_a_folder_of_good_and_bad_videos_phase_by_phase(by_phases):
    output, _, ended = by_phases
    assert "2 edits ok, 0 rejected, 4 failed" in ended.stdout
    assert str(output / "dataset") in ended.stdout

    rows = pd.read_parquet(output / "dataset").set_index("source_uri")
    assert rows["status"].to_dict() == {
        "good clip 'é'.mp4": "ok",
        "av1.mp4": "ok",
        "truncated.mp4": "failed",
        "zero.mp4": "failed",
        "text.mp4": "failed",
        "audio only.mp4": "failed",
    }
    assert rows["error_type"].dropna().to_dict() == {
        "truncated.mp4": "Truncated",
        "zero.mp4": "EmptyFile",
        "text.mp4": "NotAVideo",
        "audio only.mp4": "NoVideoStream",
    }
    assert rows.loc["good clip 'é'.mp4", "decoder"] == "decord"
    assert rows.loc["av1.mp4", "decoder"] == "pyav"
    for row in rows[rows["status"] == "ok"].to_dict("records"):
        size = (row["num_frames"], row["height"], row["width"], 3)
        assert decode_video(row["edited_video"]).shape == size
    record = json.loads((output / "run.json").read_text())
    assert list(record["phases"]) == ["annotate", "plan", "edit", "measure", "publish"]
    assert (output / "_SUCCESS").exists()


def test_the_same_command_goes_on_and_another_is_refused(by_phases, hostile):
    output, options, _ = by_phases
    again = strmatch("run", "--input", hostile, "--output", output, *options)
    assert again.returncode == 0, again.stderr
    other = strmatch("run", "--input", hostile, "--output", output, "--set", "seed=3")
    assert other.returncode == 1
    assert "holds a run with other settings" in other.stderr
    assert "seed: 0 → 3" in other.stderr


def test_failures_are_listed_and_make_a_manifest(by_phases, tmp_path):
    output, _, _ = by_phases
    listed = strmatch("failures", output, "--manifest", tmp_path / "failed.csv")
    assert listed.returncode == 0, listed.stderr
    assert "Truncated" in listed.stdout and "4 entries" in listed.stdout
    assert pd.read_csv(tmp_path / "failed.csv")["uri"].str.contains("zero.mp4").sum() == 1


def test_a_terminated_run_stops_at_once_and_loses_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    for index in range(30):
        write_video(tmp_path / "in" / f"{index}.mp4", coded_frames(16), fps=8)
    root = str(Path(__file__).parents[2])
    begin = ["run", "--input", tmp_path / "in", "--output", tmp_path / "out"]
    begin += [
        "--set",
        "editor=tests.pipelines.fakes.editors:Slow",
        "--set",
        "annotate.tracker=none",
    ]
    begin += ["--set", "annotate.captioner=template", "--set", "measure.metrics=[]"]
    command = [str(Path(sys.executable).parent / "strmatch"), *map(str, begin)]
    environment = os.environ | {"PYTHONPATH": root, "COLUMNS": "100"}
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    while not list((tmp_path / "out").glob("edits/*.parquet")):
        assert run.poll() is None
        time.sleep(0.1)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=10)
    assert run.returncode == 130
    assert said.splitlines()[-1] == "strmatch: interrupted; the same command goes on from here"

    committed = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/edits/*.parquet")}
    assert 0 < len(committed) < 30
    again = strmatch(*begin, PYTHONPATH=root)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in committed} == committed
    assert len(pd.read_parquet(tmp_path / "out" / "dataset")) == 60


def test_a_dry_run_says_what_a_run_would_take_and_writes_nothing(hostile, tmp_path):
    settings = ["edit.num_inference_steps=1", "annotate.targets_per_clip=1"]
    settings += ["annotate.captioner=template"]
    begin = ["run", "--input", hostile, "--output", tmp_path / "out"]
    begin += [part for setting in settings for part in ("--set", setting)]
    said = strmatch(*begin, "--dry-run", "--gpu-hour", 2)
    assert said.returncode == 0, said.stderr
    shown = [" ".join(line.split()) for line in said.stdout.splitlines()]
    assert "speed from 3 sources, edited for this" in shown
    assert "sources 6" in shown and "clips about 2" in shown and "edits about 2" in shown
    assert not (tmp_path / "out").exists()
