"""Monitoring of a run: events for a log, metrics for Prometheus.

Ray exports the metrics on every machine, as `ray_strmatch_…`. infra/grafana has a dashboard. Ray is
imported by the first metric: commands check their arguments, and isolated processes edit, without.
"""

import logging
import sys
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.util.metrics import Counter, Gauge, Histogram

log = logging.getLogger("strmatch.events")

RUN: ContextVar[str] = ContextVar("run", default="")
"""The output of the run whose events are logged."""
PHASE: ContextVar[str] = ContextVar("phase", default="")
"""The phase of the run that was begun last."""
SECONDS = [0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0]
"""Bounds of the histogram of durations."""


def event(name: str, **facts: Any) -> None:
    """Log an event with its facts, for log processors."""
    log.info(name, extra={"facts": {"run": RUN.get(), **facts}})


def record_rows(phase: str, row: Mapping[str, Any]) -> None:
    """Count the rows of a committed file, and log its failures.

    Args:
        phase: the phase that committed the file.
        row: counts by status, and `failures`.
    """
    from pipelines.schema import STATUSES  # imports pyarrow, which --help does not need

    rows = _counter("strmatch_rows", "Rows that are done.", ("phase", "status"))
    for status in STATUSES:
        if row[status]:
            rows.inc(row[status], {"phase": phase, "status": status})
    for failure in row["failures"]:
        event("row failed", phase=phase, **failure)


def retried(phase: str, rows: Iterable[str]) -> None:
    """Count and log rows that are repeated because their worker died."""
    counter = _counter("strmatch_retries", "Rows that are done again.", ("phase",))
    for row in rows:
        counter.inc(1, {"phase": phase})
        event("row again", phase=phase, row_id=row)


def record_seconds(stage: str, seconds: float) -> None:
    """Add the duration of one row in a stage."""
    ray = sys.modules.get("ray")
    if ray and ray.is_initialized():  # stages also run without Ray
        _histogram().observe(seconds, {"stage": stage})


def busy(fraction: float) -> None:
    """Set the fraction of wall time during which editors were busy, 0 to 1."""
    _gauge().set(fraction)


@cache
def _counter(name: str, description: str, tags: tuple[str, ...]) -> "Counter":
    from ray.util.metrics import Counter

    return Counter(name, description, tags)


@cache
def _histogram() -> "Histogram":
    from ray.util.metrics import Histogram

    return Histogram("strmatch_seconds", "Of a row in a stage.", SECONDS, ("stage",))


@cache
def _gauge() -> "Gauge":
    from ray.util.metrics import Gauge

    return Gauge("strmatch_busy_share", "Of the time, in which editors worked.")
