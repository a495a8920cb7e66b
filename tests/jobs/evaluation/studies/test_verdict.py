import json
import math

import numpy as np
import pytest

from jobs.evaluation.studies.verdict import (
    accepted_by,
    curves,
    figures,
    is_within,
    study_verdict,
    tables,
)
from pipelines.config.sections import Bounds

LIMITS = {"good": Bounds(min=0.5), "bad": Bounds(max=3)}


def row(good, bad, right, outcome="x"):
    return {"metrics": {"good": good, "bad": bad}, "right": right, "outcome": outcome}


ROWS = [
    row(0.9, 1, True),
    row(0.8, 1, True),
    row(0.4, 1, True, "y"),  # refused
    row(0.6, 9, False),  # refused
    row(0.7, 2, False, "y"),  # accepted
]


def test_limits_are_inclusive_and_a_missing_value_is_within():
    assert is_within({"good": 0.5, "bad": 3}, LIMITS)
    assert not is_within({"good": 0.49, "bad": 3}, LIMITS)
    assert not is_within({"good": 0.5, "bad": 3.1}, LIMITS)
    assert is_within({"good": math.nan, "bad": 3}, LIMITS)


def test_precision_and_recall_are_shares_of_the_accepted_and_the_right():
    found = figures(ROWS, LIMITS)
    assert (found["precision"].value, found["recall"].value) == (2 / 3, 2 / 3)
    assert found["precision"].low < 2 / 3 < found["precision"].high
    assert accepted_by(ROWS, "outcome", LIMITS) == {
        "x": {"edits": 3, "right": 2, "accepted": 2, "right of these": 2},
        "y": {"edits": 2, "right": 1, "accepted": 1, "right of these": 0},
    }


def test_a_curve_moves_one_bound_and_keeps_the_others():
    grid, precision, recall = curves(ROWS, LIMITS, "good")
    for bound, one, other in zip(grid, precision, recall, strict=True):
        accepted = [r for r in ROWS if r["metrics"]["good"] >= bound and r["metrics"]["bad"] <= 3]
        right = [r["right"] for r in accepted]
        assert np.isclose(other, sum(right) / 3)
        assert np.isclose(one, np.mean(right)) if right else math.isnan(one)
    assert recall == sorted(recall, reverse=True)


def test_the_tables_have_every_outcome_and_kind():
    results = {"outcomes": figures(ROWS, LIMITS), "edits": figures([], LIMITS)}
    results |= {"accepted": accepted_by(ROWS, "outcome", LIMITS), "yield": {}}
    first, second, third = (table.markdown() for table in tables(results))
    assert "| rendered outcomes | 66.7 % | 21 … 94 |" in first
    assert "| edits of the model | – | – | – | – |" in first
    assert "| y | 2 | 1 | 1 | 0 |" in second and third.startswith("| kind of edit |")


@pytest.mark.slow
def test_the_study_writes_tables_figures_and_the_plot(tmp_path):
    study_verdict("miniature-fast", 1, 3, "dev", tmp_path)
    found = json.loads((tmp_path / "verdict.json").read_text())
    assert found["accepted"]["counterfactual"]["right"] == 1
    assert found["accepted"]["unchanged"] == {
        "edits": 1, "right": 0, "accepted": 0, "right of these": 0,
    }  # fmt: skip
    assert {*found["yield"]} <= {"noun_near", "recolour", "background"}
    assert "| rendered outcomes |" in (tmp_path / "verdict.md").read_text()
    assert (tmp_path / "verdict.svg").stat().st_size > 10_000
