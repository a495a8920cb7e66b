"""The counts of outcomes, compared with counts by pandas."""

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.config.sections import Bounds
from pipelines.tables.outcomes import OutcomeCounter, Outcomes, within_reach
from tests.pipelines.publishing.report.runs import LIMITS, METRICS, judged_rows, publish, row_id

BOUNDS = {name: Bounds(min=least, max=most) for name, (least, most) in LIMITS.items()}
NAMES = ["clip_similarity", "motion_error"]


def counted(folder, limits=BOUNDS) -> Outcomes:
    counter = OutcomeCounter(limits)
    for path in sorted(folder.glob("dataset/*.parquet")):
        counter.add(pq.read_table(path))
    return counter.result()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    publish(folder, judged_rows(700), NAMES)
    return folder


def test_edits_are_counted_by_status_and_kind(folder):
    rows, found = pd.read_parquet(folder / "dataset"), counted(folder)
    edits = rows[rows["level"] == "edit"]
    statuses = edits["status"].value_counts().to_dict()
    assert {"ok": found.ok, "rejected": found.rejected, "failed": found.failed} == statuses
    assert found.planned == len(edits) == 650
    assert found.percent_ok == pytest.approx(100 * statuses["ok"] / len(edits))
    kinds = edits.groupby(edits["target_kind"].fillna("given"))["status"]
    expected = {kind: (len(of), (of == "ok").sum()) for kind, of in kinds}
    assert {kind.kind or "given": (kind.planned, kind.ok) for kind in found.kinds} == expected
    assert [kind.kind for kind in found.kinds] == [*sorted(expected.keys() - {"given"}), None]


def test_an_edit_outside_several_bounds_counts_at_each(folder):
    rows, found = pd.read_parquet(folder / "dataset"), counted(folder)
    rejected = rows[rows["error_type"] == "OutOfLimits"]
    messages = rejected["error_message"]
    assert [(bound.metric, bound.end, bound.value, bound.edits) for bound in found.bounds] == [
        ("clip_similarity", "min", 0.28, messages.str.contains("clip_similarity .* under").sum()),
        ("motion_error", "min", 0.2, messages.str.contains("motion_error .* under").sum()),
        ("motion_error", "max", 1.5, messages.str.contains("motion_error .* over").sum()),
    ]
    assert found.by_several == messages.str.contains(";").sum() > 0
    assert all(bound.edits for bound in found.bounds)
    assert sum(bound.edits for bound in found.bounds) - found.by_several == found.rejected


def test_a_bound_counts_the_edits_whose_worst_window_is_outside(tmp_path):
    common = {"level": "edit", "status": "rejected", "error_type": "OutOfLimits"}
    rows = [
        common | {"row_id": row_id(n), "metric_speed": 1.0, "metric_speed_worst": worst}
        for n, worst in enumerate([2.0, 4.0, 5.0])
    ]
    publish(tmp_path, rows, ["speed", "speed_worst"])
    (bound,) = counted(tmp_path, {"speed": Bounds(max=3)}).bounds
    assert bound.edits == 2


def test_all_rows_are_counted_by_outcome(folder):
    rows, found = pd.read_parquet(folder / "dataset"), counted(folder)
    names = ["level", "status", "error_stage", "error_type"]
    expected = rows[names].fillna("").groupby(names).size().to_dict()
    counts = {tuple(getattr(row, n) or "" for n in names): row.rows for row in found.rows}
    assert counts == expected
    assert [row.rows for row in found.rows] == sorted(expected.values(), reverse=True)
    assert found.count("failed") == (rows["status"] == "failed").sum() > found.failed


def test_bounds_decide_edits_that_are_ok_or_out_of_limits(folder):
    table = pq.read_table(folder / "dataset")
    rows = table.to_pandas()
    expected = rows[(rows["level"] == "edit") & (rows["status"] != "failed")]
    assert sorted(within_reach(table)["row_id"].to_pylist()) == sorted(expected["row_id"])


@pytest.mark.parametrize("limits", [{}, BOUNDS], ids=["without limits", "with limits"])
@pytest.mark.parametrize("metrics", [(), METRICS], ids=["without metrics", "with metrics"])
def test_failed_rows_alone_are_counted(tmp_path, metrics, limits):
    failed = {"status": "failed", "error_stage": "edit", "error_type": "OutOfMemory"}
    rows = [{"row_id": row_id(n), "level": "edit"} | failed for n in range(3)]
    publish(tmp_path, rows, metrics, files=1)
    found = counted(tmp_path, limits)
    assert (found.planned, found.ok, found.rejected, found.failed) == (3, 0, 0, 3)
    assert found.percent_ok == 0
    assert [bound.edits for bound in found.bounds] == [0] * (3 if limits else 0)


def test_a_dataset_without_rows_has_no_planned_edits(tmp_path):
    publish(tmp_path, [], files=1)
    found = counted(tmp_path)
    assert (found.planned, found.ok, found.percent_ok, found.rows) == (0, 0, 0, [])
