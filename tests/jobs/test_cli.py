"""The command `strmatch`: in a process of its own where the process matters, else in this one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from jobs.cli import app
from pipelines.media.encode import decode_video
from tests.pipelines.support.videos import coded_frames, write_audio, write_video

COMMANDS = [
    *("run", "annotate", "plan", "edit", "measure", "publish", "demo", "config", "config show"),
    *("check", "failures", "retry", "compare", "submit", "job status", "job logs", "job stop"),
    *("export", "export pairs", "export videofolder", "export webdataset"),
    *("export qa", "export dpo", "serve-editor"),
    *(
        "generate",
        "evaluate",
        "study",
        "bench",
        "train-miniature",
        "weights",
        "weights fetch",
        "check",
    ),
]

STORE = (
    "execution.storage_options="
    '{"client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}, "config_kwargs": {"retries": '
    '{"max_attempts": 0}}}'
)
"""An object store that refuses connections."""


def call(*arguments):
    """The command in this process, with its cluster if it has one."""
    runner = CliRunner(env={"COLUMNS": "100"})
    return runner.invoke(app, list(map(str, arguments)), prog_name="strmatch")


def strmatch(*arguments, cwd=None):
    """The command in a process of its own."""
    command = [str(Path(sys.executable).parent / "strmatch"), *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"COLUMNS": "100", "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_example(command):
    shown = call(*command.split(), "--help")
    assert shown.exit_code == 0
    assert f"Example: strmatch {command}" in shown.stdout
    assert f" {command.split()[0]} " in call("--help").stdout


def test_the_installed_command_shows_its_help():
    shown = strmatch("--help")
    assert shown.returncode == 0
    assert "Example: strmatch run --input videos/" in shown.stdout
    assert all(f" {command.split()[0]} " in shown.stdout for command in COMMANDS)


def test_the_version_is_that_of_the_package():
    shown = call("--version")
    assert (shown.exit_code, shown.stdout) == (0, f"strmatch {version('strmatch')}\n")


REFUSED = """
import sys
from jobs.cli import app
try:
    app(sys.argv[1:])
except SystemExit as ended:
    heavy = {"torch", "transformers", "diffusers", "ray", "scipy"} & sys.modules.keys()
    print(*sorted(heavy), end="")
    raise
"""
"""The command in a process that prints which slow libraries it has imported."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "edit.lamb=1"], "edit.lamb: no such key; did you mean edit.lam?"),
        (["--config", "{here}/config.yaml"], "edti: no such key; did you mean edit?"),
        (["--config", "{here}/no.yaml"], "no.yaml is not YAML"),
        (["--input", "{here}/nowhere"], "nowhere: there is no such file or folder"),
        (["--input", "{here}/rows.csv"], "no column 'uri'; it has caption"),
        (["--input", "{here}/rows.jsonl"], "line 2: not JSON"),
        (["--output", "{here}/in/a.mp4/out"], "cannot be used"),
        (["--output", "s3://bucket/out", "--set", STORE], "s3://bucket/out cannot be used"),
        (["--preset", "nope"], "no preset 'nope'"),
        (["--preset", "lavie", "--set", "execution.offline=true"], "is not in the cache"),
        (["--set", "annotate.tracker=sam"], "no tracker 'sam'"),
        (["--set", "editor=nope"], "no editor 'nope'"),
        (["--set", "measure.metrics=[nope]"], "no metric 'nope'"),
        (["--set", "backbone.weights={here}"], "is no model folder: it has no unet/"),
        (["--set", "backbone.weights=lavei"], "it has no unet/; did you mean 'lavie'?"),
    ],
)
def test_what_cannot_work_is_one_line_before_any_slow_import(tmp_path, arguments, message):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").touch()
    (tmp_path / "config.yaml").write_text("edti: {lam: 1}")
    (tmp_path / "no.yaml").write_text(": [")
    (tmp_path / "rows.csv").write_text("caption\na cat\n")
    (tmp_path / "rows.jsonl").write_text('{"uri": "in/a.mp4"}\nno row\n')
    options = {"--input": str(tmp_path / "in"), "--output": str(tmp_path / "out")}
    given = [argument.replace("{here}", str(tmp_path)) for argument in arguments]
    options |= dict(zip(given[::2], given[1::2], strict=True))
    words = ["run", *(part for option in options.items() for part in option)]
    ended = subprocess.run(
        [sys.executable, "-c", REFUSED, *words],
        capture_output=True,
        text=True,
        env=os.environ
        | {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "HF_HOME": str(tmp_path)},
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "out" / "clips").exists()


def test_a_phase_alone_needs_a_run(tmp_path):
    ended = strmatch("edit", "--output", tmp_path)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.endswith("there is no run; start with `strmatch annotate`")


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
def by_phases(ray_cluster, hostile, tmp_path_factory):
    """A run of the hostile folder, a command a phase; its output, its options, its last command.

    The command with a process of its own starts in a folder whose packages have the names of the
    project's.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    for package in ("jobs", "pipelines"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text("raise RuntimeError('not ours')")
    output = folder / "out put"
    settings = ["edit.num_inference_steps=1", "annotate.targets_per_clip=1"]
    settings += ["annotate.captioner=template", "measure.metrics=[motion_error]"]
    settings += ["annotate.mask_check.required=false"]
    options = [part for setting in settings for part in ("--set", setting)]
    ended = call("annotate", "--input", hostile, "--output", output, *options)
    assert ended.exit_code == 0, ended.stderr
    assert call("plan", "--output", output).exit_code == 0
    ended = strmatch("edit", "--output", output, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert call("measure", "--output", output).exit_code == 0
    ended = call("publish", "--output", output)
    assert ended.exit_code == 0, ended.stderr
    return output, options, ended


@pytest.mark.slow
def test_a_folder_of_good_and_bad_videos_phase_by_phase(by_phases):
    output, _, ended = by_phases
    assert "2 of 2 edits ok (100 %), 0 rejected, 0 failed" in ended.stdout
    assert re.search(r"no edit +1 \w+, 1 \w+, 1 \w+, 1 \w+\n", ended.stdout)
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
    assert rows.loc["good clip 'é'.mp4", "source_decoder"] == "decord"
    assert rows.loc["av1.mp4", "source_decoder"] == "pyav"
    for row in rows[rows["status"] == "ok"].to_dict("records"):
        size = (row["num_frames"], row["height"], row["width"], 3)
        assert decode_video(row["edited_video"]).shape == size
    record = json.loads((output / "run.json").read_text())
    assert list(record["phases"]) == ["annotate", "plan", "edit", "measure", "publish"]
    assert (output / "_SUCCESS").exists()


@pytest.mark.slow
def test_the_same_command_goes_on_and_another_is_refused(by_phases, hostile):
    output, options, _ = by_phases
    again = call("run", "--input", hostile, "--output", output, *options)
    assert again.exit_code == 0, again.stderr
    other = strmatch("run", "--input", hostile, "--output", output, "--set", "seed=3")
    assert other.returncode == 1
    (line,) = other.stderr.splitlines()
    assert "holds a run with other settings" in line
    assert "seed: 0 → 3" in line


@pytest.mark.slow
def test_failures_are_listed_and_make_a_manifest(by_phases, tmp_path):
    output, _, _ = by_phases
    listed = call("failures", output, "--manifest", tmp_path / "failed.csv")
    assert listed.exit_code == 0, listed.stderr
    assert "Truncated" in listed.stdout and "4 entries" in listed.stdout
    assert pd.read_csv(tmp_path / "failed.csv")["uri"].str.contains("zero.mp4").sum() == 1


CLIPS = 10


@pytest.mark.slow
def test_a_terminated_run_stops_at_once_and_loses_nothing(ray_cluster, tmp_path):
    (tmp_path / "in").mkdir()
    for index in range(CLIPS):
        write_video(tmp_path / "in" / f"{index}.mp4", coded_frames(16), fps=8)
    root = str(Path(__file__).parents[2])
    begin = ["run", "--input", tmp_path / "in", "--output", tmp_path / "out"]
    settings = ["editor=tests.pipelines.fakes.editors:Slow", "annotate.tracker=none"]
    settings += ["annotate.captioner=template", "measure.metrics=[]"]
    begin += [part for setting in settings for part in ("--set", setting)]
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
    assert 0 < len(committed) < CLIPS
    again = call(*begin)
    assert again.exit_code == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in committed} == committed
    assert len(pd.read_parquet(tmp_path / "out" / "dataset")) == 2 * CLIPS


@pytest.mark.slow
def test_a_dry_run_says_what_a_run_would_take_and_writes_nothing(ray_cluster, hostile, tmp_path):
    settings = ["editor=tests.pipelines.fakes.editors:Invert", "annotate.targets_per_clip=1"]
    settings += ["annotate.captioner=template", "measure.metrics=[motion_error]"]
    settings += ["annotate.mask_check.required=false"]
    begin = ["run", "--input", hostile, "--output", tmp_path / "out"]
    begin += [part for setting in settings for part in ("--set", setting)]
    said = call(*begin, "--dry-run", "--gpu-hour", 2)
    assert said.exit_code == 0, said.stderr
    shown = [" ".join(line.split()) for line in said.stdout.splitlines()]
    assert "speed from 3 sources, edited for this" in shown
    assert "sources 6" in shown and "clips about 2" in shown and "edits about 2" in shown
    assert not (tmp_path / "out").exists()
