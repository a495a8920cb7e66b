import json
import logging
import sys

from jobs.logs import JsonLines


def record(message, **more):
    return logging.makeLogRecord({"msg": message, "levelname": "INFO", "levelno": 20} | more)


def test_a_line_is_an_object_with_the_event_s_facts():
    line = JsonLines().format(record("row failed", facts={"run": "s3://b/r", "row_id": "ab"}))
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("time").endswith("+00:00")
    assert found == {"level": "info", "event": "row failed", "run": "s3://b/r", "row_id": "ab"}


def test_a_traceback_stays_on_its_line():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        line = JsonLines().format(record("edit: unexpected ValueError", exc_info=sys.exc_info()))
    assert "\n" not in line
    assert json.loads(line)["traceback"].endswith("two\nlines")
