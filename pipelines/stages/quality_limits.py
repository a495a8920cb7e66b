"""Which edits are good enough, by what was measured of them."""

from collections.abc import Mapping

from pipelines.config.sections import Bounds
from pipelines.errors import Rejected
from pipelines.rows import Row, failure
from pipelines.schema import OUTCOME, metric_column


def apply_limits(measured: Row, limits: Mapping[str, Bounds]) -> Row:
    """The dataset's columns of an edit that is ok, by its row of `schema.MEASURES`.

    One that could not be measured has failed; one outside the limits, by metric, is rejected with
    OutOfLimits.
    """
    values = dict(measured["metrics"] or ())
    columns = {metric_column(name): value for name, value in values.items()}
    columns |= {name: measured[name] for name in (*OUTCOME, "measure_seconds")}
    broken = [
        text
        for name, bounds in limits.items()
        if (text := _outside(name, values.get(name), bounds)) is not None
    ]
    if measured["status"] == "ok" and broken:
        columns |= failure("measure", Rejected("OutOfLimits", "; ".join(broken)))
    return columns


def _outside(name: str, value: float | None, bounds: Bounds) -> str | None:
    """What is wrong with a value; None where it is good enough, or the metric does not apply."""
    if value is None:
        return None
    if bounds.min is not None and value < bounds.min:
        return f"{name} {value:.6g} is under {bounds.min:g} (publish.limits)"
    if bounds.max is not None and value > bounds.max:
        return f"{name} {value:.6g} is over {bounds.max:g} (publish.limits)"
    return None
