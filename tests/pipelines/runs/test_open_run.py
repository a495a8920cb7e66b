"""What is checked and recorded before any work of a run; needs no cluster."""

import json

import pytest

from pipelines.config.loading import load_config
from pipelines.errors import RunError
from pipelines.runs.open_run import open_run, reopen_run


@pytest.fixture
def videos(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "in" / name).touch()
    return str(tmp_path / "in")


def test_a_later_phase_keeps_the_sources_and_the_settings_of_its_run(videos, tmp_path):
    output = str(tmp_path / "out")
    with open_run(output, load_config(assignments=["seed=7"]), videos, limit=1) as run:
        assert run.sources["source_uri"].to_pylist() == ["a.mp4"]
    with reopen_run(output, ["execution.editors=2"]) as run:
        assert (run.config.seed, run.config.execution.editors) == (7, 2)
        assert run.sources["source_uri"].to_pylist() == ["a.mp4", "b.mp4"]
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["version"], record["input"]) == (1, videos)
    assert record["config"]["seed"] == 7 and record["phases"] == {}


def test_only_a_run_can_be_reopened(tmp_path):
    with pytest.raises(RunError, match="there is no run"), reopen_run(str(tmp_path / "out")):
        pass
    assert not (tmp_path / "out").exists()
