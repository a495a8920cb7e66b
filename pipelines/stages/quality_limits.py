"""Rejects edits whose metrics are outside the limits."""

import json
from collections.abc import Collection, Mapping

from pipelines.config.sections import Bounds
from pipelines.errors import Rejected
from pipelines.rows import Row, failure
from pipelines.schema import OUTCOME, metric_column, worst_column
from pipelines.tables.outcomes import OUT_OF_LIMITS


def apply_limits(measured: Row, limits: Mapping[str, Bounds]) -> Row:
    """Returns the dataset's columns of an edit: its metrics and its outcome.

    An edit that could not be measured is failed. An edit outside a limit is rejected with
    `OutOfLimits`. A clip of several windows is inside a limit if its worst window is, and an edit
    of several objects if its worst object is.

    Args:
        measured: the edit's row of `schema.MEASURES`.
        limits: by metric.
    """
    values = dict(measured["metrics"] or ())
    worst = dict(measured.get("worst") or ())
    judged = values | worst
    columns = {metric_column(name): value for name, value in values.items()}
    columns |= {worst_column(name): value for name, value in judged.items()}
    columns |= {name: measured[name] for name in (*OUTCOME, "measure_seconds", "measure_message")}
    if measured.get("by_object"):
        columns["edit_metrics"] = json.dumps([dict(values) for values in measured["by_object"]])
    broken = outside(judged, limits, worst)
    if measured["status"] == "ok" and broken:
        columns |= failure("measure", Rejected(OUT_OF_LIMITS, "; ".join(broken)))
    return columns


def outside(
    values: Mapping[str, float | None],
    limits: Mapping[str, Bounds],
    windowed: Collection[str] = (),
) -> list[str]:
    """Returns why metrics are outside their limits; empty if all are inside, or have no value.

    Args:
        values: by metric.
        limits: by metric.
        windowed: the metrics whose values are those of a clip's worst window.
    """
    reasons = (
        _outside(f"{name} of the worst window" if name in windowed else name, value, bounds)
        for name, bounds in limits.items()
        for value in [values.get(name)]
    )
    return [reason for reason in reasons if reason is not None]


def _outside(name: str, value: float | None, bounds: Bounds) -> str | None:
    """Returns why a value is outside its limits; None if it is inside, or does not apply."""
    if value is None:
        return None
    if bounds.min is not None and value < bounds.min:
        return f"{name} {value:.6g} is under {bounds.min:g} (publish.limits)"
    if bounds.max is not None and value > bounds.max:
        return f"{name} {value:.6g} is over {bounds.max:g} (publish.limits)"
    return None
