import shutil

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from pipelines.storage import Storage
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
