"""Runs as jobs of a real cluster: `ray job submit`, `strmatch submit`, `strmatch job`."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tests.pipelines.fakes.editors
from tests.clusters import local_cluster
from tests.faults.harness import rows_of, write_input

CLIPS = 24
SETTINGS = ["clip.num_frames=4", "editor=my_editors:Slow", "execution.editors=1"]
SETTINGS += ["annotate.captioner=template", "annotate.tracker=none", "measure.metrics=[]"]
pytestmark = [pytest.mark.infra, pytest.mark.timeout(900)]
SET = [part for setting in SETTINGS for part in ("--set", setting)]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips, and a folder with code that only this run has."""
    folder = tmp_path_factory.mktemp("jobs")
    write_input(folder / "in", clips=CLIPS)
    (folder / "code").mkdir()
    shutil.copy(tests.pipelines.fakes.editors.__file__, folder / "code" / "my_editors.py")
    return folder


@pytest.fixture(scope="module")
def cluster():
    with local_cluster() as cluster:
        yield cluster


@pytest.fixture
def command(cluster):
    def call(*words):
        return subprocess.run(
            [str(BIN / words[0]), *map(str, words[1:])],
            capture_output=True,
            text=True,
            cwd="/",
            env=cluster.environment | {"COLUMNS": "100"},
        )

    return call


def job(said):
    """The id that `strmatch submit` printed."""
    return said.stdout.split()[1].rstrip(":")


def test_ray_job_submit_and_strmatch_submit(folder, command):
    """The same run both ways, refused, attached to, stopped and resumed on the way."""
    plain = ["ray", "job", "submit", "--submission-id", "plain", "--working-dir", folder / "code"]
    plain += ["--", "strmatch", "run", "--input", folder / "in" / "manifest.jsonl"]
    plain += ["--output", folder / "plain", *SET]
    ended = command(*plain)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    outcome = f"{2 * CLIPS} of {2 * CLIPS} edits ok (100 %), 0 rejected, 0 failed\n    ok"
    assert outcome in ended.stdout
    expected = rows_of(folder / "plain")
    assert len(expected) == 2 * CLIPS + 1
    again = command(*plain)
    assert again.returncode != 0 and "plain already exists" in again.stdout + again.stderr

    submit = ["strmatch", "submit", "--input", folder / "in" / "manifest.jsonl", *SET]
    submit += ["--output", folder / "ours", "--working-dir", folder / "code"]
    detached = command(*submit, "--detach")
    assert detached.returncode == 0, detached.stderr
    id = job(detached)
    assert detached.stdout == f"job {id}: submitted\n"
    assert command(*submit, "--detach").stdout == f"job {id}: attached\n"
    until = time.monotonic() + 120
    edits = folder / "ours" / "edits"
    while not list(edits.glob("*.parquet")):
        assert time.monotonic() < until, command("strmatch", "job", "logs", id).stdout
        time.sleep(0.1)
    stopped = command("strmatch", "job", "stop", id)
    assert stopped.returncode == 0 and "stopped" in stopped.stdout, stopped.stderr
    assert command("strmatch", "job", "status", id).stdout.startswith("STOPPED")
    committed = {file: file.stat().st_mtime_ns for file in edits.glob("*.parquet")}
    assert 0 < len(committed) < CLIPS and not (folder / "ours" / "_SUCCESS").exists()

    resumed = command(*submit)
    assert resumed.returncode == 0, resumed.stdout[-3000:] + resumed.stderr
    assert resumed.stdout.startswith(f"job {id}: submitted\n")
    assert resumed.stdout.count(outcome) == 1
    assert {file: file.stat().st_mtime_ns for file in committed} == committed
    assert rows_of(folder / "ours") == expected

    written = json.loads((folder / "ours" / "run.json").read_text())["started"]
    finished = command(*submit)
    assert finished.returncode == 0 and f"job {id}: finished" in finished.stdout
    assert json.loads((folder / "ours" / "run.json").read_text())["started"] == written
    assert "edits ok" in command("strmatch", "job", "logs", id).stdout


def test_a_failed_job_is_an_exit_code_and_is_submitted_again(folder, command):
    submit = ["strmatch", "submit", "--input", folder / "nothing", "--output", folder / "fails"]
    for _ in range(2):
        failed = command(*submit)
        assert failed.returncode == 1
        assert ": submitted\n" in failed.stdout
        assert "nothing: there is no such file or folder" in failed.stdout
        assert failed.stderr.splitlines() == [f"strmatch: job {job(failed)}: FAILED: exit code 1"]


def test_what_is_not_there_is_one_line(command):
    unknown = command("strmatch", "job", "logs", "nobody")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("strmatch: the cluster knows no job nobody")
    nowhere = command("strmatch", "job", "status", "nobody", "--address", "http://127.0.0.1:9")
    assert nowhere.returncode == 1 and len(nowhere.stderr.splitlines()) == 1
    assert "no Ray cluster http://127.0.0.1:9 takes jobs" in nowhere.stderr
