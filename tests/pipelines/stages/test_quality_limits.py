import pytest

from pipelines.config.sections import Bounds
from pipelines.stages.quality_limits import apply_limits

OK = {"status": "ok", "error_stage": None, "error_type": None, "error_message": None}


def judged(metrics, **limits):
    measured = {"metrics": list(metrics.items()), "measure_seconds": 1.0, "measure_message": None}
    return apply_limits(OK | measured, limits)


@pytest.mark.parametrize(
    ("value", "status"),
    [(1.0, "rejected"), (2.0, "ok"), (3.0, "ok"), (3.0001, "rejected"), (None, "ok")],
)
def test_bounds_are_inclusive(value, status):
    row = judged({"motion": value}, motion=Bounds(min=2, max=3))
    assert row["status"] == status
    assert row["metric_motion"] == value and row["measure_seconds"] == 1.0
    assert row["error_stage"] == (None if status == "ok" else "measure")


def test_the_message_lists_every_violated_metric_with_value_and_bound():
    row = judged({"a:B": 0.5, "c": 7.25, "d": 9.0}, **{"a:B": Bounds(min=0.75), "c": Bounds(max=7)})
    assert row["error_type"] == "OutOfLimits"
    assert row["error_message"] == (
        "a:B 0.5 is under 0.75 (publish.limits); c 7.25 is over 7 (publish.limits)"
    )
    assert row["metric_a_B"] == 0.5


@pytest.mark.parametrize(("worst", "status"), [(6.0, "ok"), (8.0, "rejected")])
def test_a_clip_of_several_windows_is_inside_a_limit_if_its_worst_window_is(worst, status):
    measured = {"metrics": [("c", 5.0), ("d", 9.0)], "worst": [("c", worst)]}
    measured |= {"measure_seconds": 1.0, "measure_message": None}
    row = apply_limits(OK | measured, {"c": Bounds(max=7)})
    assert row["status"] == status
    assert (row["metric_c"], row["metric_c_worst"], row["metric_d"]) == (5.0, worst, 9.0)
    if status == "rejected":
        assert row["error_message"] == "c of the worst window 8 is over 7 (publish.limits)"


def test_a_clip_of_one_window_has_no_other_worst_value():
    row = judged({"c": 5.0})
    assert row["metric_c"] == row["metric_c_worst"] == 5.0


def test_an_edit_that_was_not_measured_fails_under_any_limits():
    failed = {"status": "failed", "error_stage": "measure", "error_type": "X", "error_message": "y"}
    nothing = {"measure_seconds": None, "measure_message": None}
    row = apply_limits(failed | nothing | {"metrics": None}, {"a": Bounds(max=1)})
    assert row == failed | nothing
