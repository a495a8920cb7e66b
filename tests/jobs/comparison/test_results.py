"""Paired differences, against statistics that are computed otherwise."""

import numpy as np
import pytest
from scipy import stats

from jobs.comparison.results import Edit, figures
from jobs.comparison.table import is_certain, table
from jobs.evaluation.figures import Figure
from pipelines.config.sections import Bounds


def edits(values, statuses=None, seconds=1.0):
    """Edits of as many clips; a value None is not measured, and an absent clip has no edit."""
    return {
        (f"clip {n}", "a cat", "a dog", "subject"): Edit(
            *(f"{n}", "dataset/part.parquet", n),
            (statuses or {}).get(n, "ok"),
            {"motion_error": value, "seconds": seconds},
        )
        for n, value in values.items()
    }


def test_differences_are_of_pairs_and_have_the_paired_bootstraps_interval():
    rng = np.random.default_rng(4)
    hard = rng.normal(0, 10, 60)  # what both editors have in common
    ours, theirs = hard + rng.normal(0, 0.5, 60), hard + 1 + rng.normal(0, 0.5, 60)
    compared = figures({"a": edits(dict(enumerate(ours))), "b": edits(dict(enumerate(theirs)))})
    found = compared["b"]["differences"]["motion_error"]
    expected = stats.bootstrap(
        *[(theirs - ours,), np.mean], n_resamples=9999, method="percentile", rng=rng
    ).confidence_interval
    assert found.value == pytest.approx((theirs - ours).mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)
    alone = compared["b"]["values"]["motion_error"]
    assert alone.high - alone.low > 10 * (found.high - found.low), "pairs are not resampled apart"
    assert is_certain(found, 60) and not is_certain(found, 5)


def test_what_one_editor_lacks_is_in_no_difference():
    first = edits({0: 1.0, 1: 2.0, 2: None, 3: 4.0, 4: float("inf")}, {3: "rejected"})
    other = edits({0: 2.0, 2: 9.0, 3: 7.0, 4: 1.0, 5: 100.0}, {0: "failed"}, seconds=3.0)
    compared = figures({"a": first, "b": other})
    assert compared["a"]["values"]["ok"].value == 0.8 and compared["a"]["edits"] == 5
    assert compared["a"].keys() == {"edits", "values"}
    assert compared["a"]["values"]["motion_error"].value == pytest.approx(7 / 3)
    assert compared["b"]["pairs"] == {"ok": 4, "motion_error": 2, "seconds": 4}
    assert compared["b"]["differences"]["motion_error"].value == 2.0
    assert compared["b"]["differences"]["ok"].value == 0.0  # one lost, one won
    assert compared["b"]["differences"]["seconds"] == Figure(2.0, 2.0, 2.0)


def test_the_table_has_a_row_a_figure_and_a_column_an_editor():
    compared = figures({"a": edits({0: 1.0, 1: 1.0}, {0: "failed"}), "b": edits({0: 1.5, 1: 1.5})})
    shown = table(compared, {"motion_error": Bounds(max=0.8)})
    assert shown.head == ["", "a", "b"]
    assert shown.rows == [
        ["ok", "50 %", "100 %\n+50 % [+0 … +100]"],
        ["motion error (≤ 0.8)", "1", "1.5\n+0.5 [+0.5 … +0.5]"],
        ["seconds an edit", "1", "1\n+0 [+0 … +0]"],
    ]
    nothing = figures({"a": edits({0: None}), "b": edits({0: None})})
    assert table(nothing, {}).rows[1] == ["motion error", "–", "–\n–"]
