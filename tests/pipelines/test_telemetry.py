"""Logged events, and metrics in the form that Prometheus reads."""

import logging
import re
import time
import urllib.request

import pytest
import ray

from pipelines import telemetry

FAILURE = {"row_id": "b", "error_stage": "edit", "error_type": "E", "error_message": "no"}


def test_events_have_the_ids_of_run_and_row(caplog):
    telemetry.RUN.set("s3://bucket/run")
    with caplog.at_level(logging.INFO, "strmatch.events"):
        telemetry.record_rows("edit", {"ok": 1, "rejected": 0, "failed": 1, "failures": [FAILURE]})
        telemetry.retried("edit", ["c"])
    (failed, again) = caplog.records
    assert failed.message == "row failed"
    assert failed.facts == {"run": "s3://bucket/run", "phase": "edit", **FAILURE}
    assert (again.message, again.facts["row_id"]) == ("row again", "c")


def exported():
    """The metrics that the machine's agent exports, by name and tags."""
    (node,) = ray.nodes()
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with urllib.request.urlopen(address, timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for line in text.splitlines():
        match = re.match(r"ray_(strmatch_\w+)\{(.*)\} (\S+)$", line)
        if match:
            own = re.findall(r'(phase|status|stage|le)="([^"]*)"', match[2])
            found[match[1], *(value for _, value in sorted(own))] = float(match[3])
    return found


@pytest.mark.usefixtures("ray_cluster")
def test_metrics_are_exported_for_prometheus():
    """The phase names are used by no other test of this process."""
    telemetry.record_rows("a phase", {"ok": 3, "rejected": 2, "failed": 1, "failures": [FAILURE]})
    telemetry.retried("a phase", ["c", "d"])
    telemetry.record_seconds("a stage", 2.5)
    expected = {
        ("strmatch_rows_total", "a phase", "ok"): 3,
        ("strmatch_rows_total", "a phase", "rejected"): 2,
        ("strmatch_rows_total", "a phase", "failed"): 1,
        ("strmatch_retries_total", "a phase"): 2,
        ("strmatch_seconds_count", "a stage"): 1,
        ("strmatch_busy_share",): 0.75,
    }
    until = time.monotonic() + 60
    found = {}
    while not expected.items() <= found.items() and time.monotonic() < until:
        telemetry.busy(0.75)  # a gauge is exported only after a recent update
        time.sleep(1.0)
        found |= exported()
    assert {key: found.get(key) for key in expected} == expected
