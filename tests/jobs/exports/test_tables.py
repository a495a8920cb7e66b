"""The commands that append to tables."""

import os
import signal
import subprocess
import sys
import time

import lance
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from typer.testing import CliRunner

from jobs.cli import app
from pipelines.storage import Storage
from tests.pipelines.support.datasets import write_dataset

EDITS = 26


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    output = tmp_path_factory.mktemp("run")
    write_dataset(Storage(str(output)))
    return output


def call(*arguments):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["export", *map(str, arguments)])


@pytest.mark.usefixtures("ray_cluster")
def test_the_command_appends_once_and_counts_rows(output, tmp_path):
    arguments = ("lance", output, "--to", tmp_path / "edits.lance", "--videos", tmp_path / "videos")
    left = "left out: 8 clips or sources without an edit, 3 failed edits, 3 rejected edits"
    first = call(*arguments)
    assert first.exit_code == 0, first.output
    assert f"edits.lance: {EDITS} edits\n  {left}\n" in first.stdout
    assert lance.dataset(tmp_path / "edits.lance").count_rows() == EDITS
    again = call(*arguments)
    assert f"edits.lance: already complete: {EDITS} edits\n" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "edits"], "--to edits: write namespace.table"),
        (
            ["--to", "edits.first", "--catalog", "none"],
            "the Iceberg catalogue none cannot be loaded (URI missing",
        ),
    ],
)
def test_wrong_arguments_end_in_one_line(output, tmp_path, arguments, said):
    ended = call("iceberg", output, "--videos", tmp_path / "videos", *arguments)
    assert ended.exit_code == 1
    assert said in ended.stderr and len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("format", "table", "package"),
    [("iceberg", "edits.first", "pyiceberg.catalog"), ("lance", "edits.lance", "lance_ray")],
)
def test_a_missing_package_is_named_with_its_extra(
    output, tmp_path, monkeypatch, format, table, package
):
    monkeypatch.delitem(sys.modules, f"pipelines.exports.tables.{format}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    ended = call(format, output, "--to", table, "--videos", tmp_path / "videos")
    assert ended.exit_code == 1
    assert f"{package} " in ended.stderr and f"pip install 'strmatch[{format}]'" in ended.stderr
    assert not (tmp_path / "videos").exists()


def lance_rows(folder):
    path = folder / "edits.lance"
    return lance.dataset(path).count_rows() if path.exists() else 0


def iceberg_rows(folder):
    if not (folder / "catalogue.db").exists():
        return 0
    catalogue = SqlCatalog("test", uri=f"sqlite:///{folder}/catalogue.db")
    if not catalogue.table_exists("edits.first"):
        return 0
    return len(catalogue.load_table("edits.first").scan().to_arrow())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "data", "rows"),
    [
        (["lance", "--to", "edits.lance"], "edits.lance/data/*.lance", lance_rows),
        (
            ["iceberg", "--to", "edits.first", "--catalog", "test"],
            "warehouse/**/data/*.parquet",
            iceberg_rows,
        ),
    ],
)
def test_a_killed_export_leaves_all_rows_or_none_and_is_repeated(
    output, tmp_path, arguments, data, rows
):
    (tmp_path / "warehouse").mkdir()
    variables = os.environ | {
        "PYICEBERG_CATALOG__TEST__URI": f"sqlite:///{tmp_path}/catalogue.db",
        "PYICEBERG_CATALOG__TEST__WAREHOUSE": f"file://{tmp_path}/warehouse",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [sys.executable, "-m", "jobs.cli", "export", arguments[0], str(output)]
    command += [*arguments[1:], "--videos", "videos"]
    killed = subprocess.Popen(command, env=variables, cwd=tmp_path)
    while killed.poll() is None and not any(tmp_path.glob(data)):
        time.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert rows(tmp_path) in (0, EDITS)
    for _ in range(2):
        again = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        assert rows(tmp_path) == EDITS
    assert "already complete" in again.stdout
