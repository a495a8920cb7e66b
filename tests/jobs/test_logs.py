import json
import logging
import subprocess
import sys

import pytest

from jobs.logs import JsonLines
from pipelines import telemetry


def record(message, **more):
    return logging.makeLogRecord({"msg": message, "levelname": "INFO", "levelno": 20} | more)


@pytest.fixture(autouse=True)
def no_run():
    """Other tests of this process may have left a run and a phase."""
    telemetry.RUN.set("")
    telemetry.PHASE.set("")


def test_a_line_is_an_object_with_the_event_s_facts():
    line = JsonLines().format(record("row failed", facts={"run": "s3://b/r", "row_id": "ab"}))
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "info",
        "event": "row failed",
        "run": "s3://b/r",
        "phase": None,
        "row_id": "ab",
    }


def test_a_traceback_stays_on_its_line():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        line = JsonLines().format(record("edit: unexpected ValueError", exc_info=sys.exc_info()))
    assert "\n" not in line
    assert json.loads(line)["traceback"].endswith("two\nlines")


PROGRAM = """
import os, warnings
from jobs import logs
from jobs.cli.options import one_line_errors
from pipelines import telemetry
from pipelines.errors import RunError

@one_line_errors
def command():
    logs.start("json")
    telemetry.RUN.set("s3://b/r")
    warnings.warn("a library's warning")
    os.write(2, b"a line of C++\\n")
    telemetry.PHASE.set("edit")
    raise RunError("edit stopped: [disk] full")

try:
    command()
except Exception as error:
    assert error.exit_code == 1
"""


def test_every_line_on_standard_error_is_json():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert all(
        {"time", "level", "event", "run", "phase", "row_id"} <= line.keys() for line in lines
    )
    assert any("a library's warning" in line["event"] for line in lines)
    assert any(line["event"] == "a line of C++" for line in lines)
    (last,) = [line for line in lines if line["level"] == "error"]
    assert last["event"] == "edit stopped: [disk] full"
    assert (last["run"], last["phase"]) == ("s3://b/r", "edit")
