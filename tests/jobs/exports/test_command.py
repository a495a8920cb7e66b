import shutil
import signal
import subprocess
import sys
import time

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from jobs.cli import app
from pipelines.storage import Storage
from tests.pipelines.exports.folders import content
from tests.pipelines.support.datasets import write_dataset


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    output = tmp_path_factory.mktemp("run")
    write_dataset(Storage(str(output)))
    return output


def call(*arguments):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["export", *map(str, arguments)])


def test_the_summary_counts_what_was_written_and_what_was_left_out(output, tmp_path):
    left = "left out: 8 clips or sources without an edit, 3 failed edits, 3 rejected edits"
    first = call("pairs", output, "--to", tmp_path)
    assert first.exit_code == 0, first.output
    assert f"{tmp_path}: 26 edits\n  {left}\n" in first.stdout
    again = call("pairs", output, "--to", tmp_path)
    assert f"already complete: 26 edits\n  {left}\n" in again.stdout


def test_wrong_arguments_end_in_one_line(output, tmp_path):
    none = call("pairs", tmp_path / "none", "--to", tmp_path / "to")
    assert none.exit_code == 1
    assert "holds no dataset/*.parquet: name the folder of a run" in none.stderr
    shutil.copy(output / "dataset" / "part-00000.parquet", tmp_path)
    foreign = call("pairs", output, "--to", tmp_path)
    assert foreign.exit_code == 1
    assert "has files and is no export: choose an empty folder" in foreign.stderr


def test_a_dataset_without_an_edit_to_export_is_refused(output, tmp_path):
    run = Storage(str(tmp_path / "run"))
    table = pq.read_table(output / "dataset")
    run.write_table("dataset/part-00000.parquet", table.filter(pc.field("status") != "ok"))
    ended = call("pairs", run, "--to", tmp_path / "to")
    assert ended.exit_code == 1
    assert "has no edit that is ok: there is nothing to export" in ended.stderr
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("name", ["pairs", "videofolder", "webdataset", "qa", "dpo"])
def test_every_format_gives_the_same_bytes_twice(output, tmp_path, name):
    for folder in ("one", "two"):
        ended = call(name, output, "--to", tmp_path / folder)
        assert ended.exit_code == 0, ended.output
    one = content(tmp_path / "one")
    assert one == content(tmp_path / "two")
    assert {"_SUCCESS", ".export/export.json"} < one.keys()


def test_a_killed_command_continues_to_the_same_bytes(output, tmp_path):
    command = [sys.executable, "-m", "jobs.cli", "export", "pairs", str(output), "--to"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    killed = tmp_path / "killed"
    process = subprocess.Popen([*command, str(killed)])
    while not list(killed.glob(".export/parts/*.jsonl")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "_SUCCESS").exists()
    (killed / "videos" / ".half.mp4.0123abcd").write_bytes(b"of a writer that was killed")
    subprocess.run([*command, str(killed)], check=True)
    assert content(killed) == content(tmp_path / "whole")
