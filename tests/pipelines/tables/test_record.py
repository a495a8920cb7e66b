"""run.json is read in every version ever written, and any other content is refused."""

import json

import pytest

from pipelines.config.fingerprints import SETTINGS
from pipelines.config.loading import load_config
from pipelines.errors import RunError
from pipelines.runs.open_run import find_run
from pipelines.runs.run import PHASES
from pipelines.storage import Storage
from pipelines.tables.record import RunRecord, read_record, recorded_config, write_record

OLD = {
    "input": "/videos/manifest.jsonl",
    "limit": 3,
    "config": {"preset": "miniature", "seed": 7},
    "fingerprints": {"annotate": "1c86efd8d8099094"},
    "model_revision": "c5712c958d2527f8",
    "versions": {"strmatch": "0.1.0"},
    "started": "2026-11-29T12:48:56+00:00",
    "phases": {"annotate": {"seconds": 15.081, "sources": 5}},
    "counts": {"rows": 8, "ok": 8, "rejected": 0, "failed": 0},
    "finished": "2026-11-29T12:52:33+00:00",
}
"""A record without a version, as it was written before there was one."""


@pytest.fixture
def output(tmp_path):
    return Storage(str(tmp_path))


def test_a_record_without_a_version_is_read_completely(output):
    output.write("run.json", json.dumps(OLD).encode())
    record = read_record(output)
    assert record is not None and record.phases["annotate"]["sources"] == 5
    write_record(output, record)
    written = json.loads(output.read("run.json"))
    assert written == {name: value for name, value in OLD.items() if name != "limit"} | {
        "version": 1,
        "outcomes": None,
    }
    assert [type(value) for value in written["phases"]["annotate"].values()] == [float, int]


def test_the_settings_of_a_run_are_those_recorded_with_the_assignments_on_top(output):
    assert read_record(output) is None
    with pytest.raises(RunError, match="there is no run; start with"):
        find_run(str(output), [])
    output.write("run.json", json.dumps(OLD).encode())
    record, config = find_run(str(output), ["edit.lam=0.5"])
    assert (record.input, config.seed, config.edit.lam) == (OLD["input"], 7, 0.5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "run.json is not a run's record: "),
        ('{"config": {}}', "run.json is not a run's record: fingerprints"),
        (json.dumps(OLD | {"version": 2}), "run.json has version 2, which needs a newer strmatch"),
    ],
)
def test_an_invalid_record_is_refused_in_one_line(output, content, message):
    output.write("run.json", content.encode())
    with pytest.raises(RunError, match=message) as refused:
        read_record(output)
    assert "\n" not in str(refused.value)


def test_secrets_are_not_recorded():
    config = load_config(assignments=["execution.storage_options={secret: s}"])
    record = RunRecord(config=recorded_config(config), fingerprints={}, model_revision="1")
    assert record.config["execution"]["storage_options"] == {}


def test_every_phase_has_its_settings():
    assert [phase.name for phase in PHASES] == list(SETTINGS)
