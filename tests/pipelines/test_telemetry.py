"""Events as they are logged, and metrics as Prometheus would read them."""

import logging
import re
import time
import urllib.request

import pytest
import ray

from pipelines import telemetry

FAILURE = {"row_id": "b", "error_stage": "edit", "error_type": "E", "error_message": "no"}


def test_events_name_run_and_row(caplog):
    telemetry.RUN.set("s3://bucket/run")
    with caplog.at_level(logging.INFO, "strmatch.events"):
        telemetry.record_rows("edit", {"ok": 1, "rejected": 0, "failed": 1, "failures": [FAILURE]})
        telemetry.retried("edit", ["c"])
    (failed, again) = caplog.records
    assert failed.message == "row failed"
    assert failed.facts == {"run": "s3://bucket/run", "phase": "edit", **FAILURE}
    assert (again.message, again.facts["row_id"]) == ("row again", "c")


def exported():
    """What the machine's agent shows, by name and tags."""
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
def test_metrics_reach_prometheus():
    """Under names that no other test of this process counts."""
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
        telemetry.busy(0.75)  # a gauge is shown while it is news
        time.sleep(1.0)
        found |= exported()
    assert {key: found.get(key) for key in expected} == expected
