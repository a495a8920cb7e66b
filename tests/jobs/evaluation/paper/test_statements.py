import numpy as np
import pytest

from jobs.evaluation.figures import Figure
from jobs.evaluation.paper.choose import CRITERION, grid
from jobs.evaluation.paper.methods import MULTIPLES, methods_of
from jobs.evaluation.paper.statements import (
    FRONTIERS,
    PAPER_METRICS,
    STATEMENTS,
    Comparison,
    difference,
    overall,
    put_to_the_test,
    verdict,
)
from strmatch.presets import load_preset

METHODS = methods_of(load_preset("miniature"), joint=False)


def groups(ours, theirs):
    return {
        "a": [{"m": value} for value in ours],
        "b": [{"m": value} for value in theirs],
    }


def test_differences_are_paired():
    noise = np.random.default_rng(1).normal(0, 100, 30)
    found = difference(Comparison("a", "b", "m", 1), groups(noise + 1.0, noise))
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))


def test_an_interval_covers_what_it_should():
    random = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        values = random.normal(0.5, 1.0, 25)
        found = difference(Comparison("a", "b", "m", 1), groups(values, np.zeros(25)))
        covered += found.low <= 0.5 <= found.high
    assert 0.88 < covered / 200 < 0.99


def test_clips_without_a_value_are_left_out():
    found = difference(
        Comparison("a", "b", "m", 1), groups([1.0, np.nan, 3.0, np.inf], [0.0, 0.0, 0.0, 0.0])
    )
    assert found.value == 2.0
    nothing = difference(Comparison("a", "b", "m", 1), groups([np.nan], [1.0]))
    assert np.isnan(nothing.value)


@pytest.mark.parametrize(
    ("wanted", "low", "high", "expected"),
    [
        (1, 0.1, 0.3, "reproduced"),
        (1, -0.1, 0.3, "undecided"),
        (1, -0.3, -0.1, "not reproduced"),
        (-1, -0.3, -0.1, "reproduced"),
        (-1, 0.1, 0.3, "not reproduced"),
        (-1, -0.1, 0.1, "undecided"),
        (0, -0.4, 0.3, "reproduced"),
        (0, -0.6, 0.3, "undecided"),
        (0, 0.6, 0.9, "not reproduced"),
        (0, -0.9, -0.6, "not reproduced"),
        (1, np.nan, np.nan, "undecided"),
        (0, np.nan, np.nan, "undecided"),
    ],
)
def test_an_interval_decides(wanted, low, high, expected):
    comparison = Comparison("a", "b", "m", wanted, margin=0.5)
    assert verdict(comparison, Figure((low + high) / 2, low, high)) == expected


def test_a_claim_is_as_strong_as_its_weakest_part():
    assert overall(["reproduced", "reproduced"]) == "reproduced"
    assert overall(["reproduced", "undecided"]) == "undecided"
    assert overall(["undecided", "not reproduced", "reproduced"]) == "not reproduced"


def results(names, value):
    metrics = (*PAPER_METRICS, CRITERION)
    return [
        {"attempt": name, "index": case} | {m: value(name, m) + case for m in metrics}
        for case in range(6)
        for name in names
    ]


def test_a_world_as_the_paper_describes_it_reproduces_every_statement():
    better = {
        "frame_consistency": {"str_match": 1, "lambda_half": 1, "str_match_masked": 1},
        "clip_similarity": {"str_match": 1, "lambda_half": 1, "str_match_masked": 1, "dmt": 1},
        "background_difference": {"str_match": 1, "lambda_half": 2, "uniedit": 3, "dmt": 4},
        "motion_error": {"str_match": 1, "lambda_half": 2, "uniedit": 3, "dmt": 4},
        CRITERION: {"str_match": 1, "str_match_masked": 1},
    }
    tested = results([*METHODS, *MULTIPLES], lambda name, m: better[m].get(name, 0))

    def traded(name, metric):
        method, strength = name.split("@")
        lost = float(METHODS[method].grid.index(float(strength)))
        return lost + (metric == "clip_similarity") * (method == "str_match")

    tried = results([attempt.name for attempt in grid(METHODS)], traded)
    found = put_to_the_test(tested, tried)
    assert [one["verdict"] for one in found] == ["reproduced"] * len(found)
    assert len(found) == len(STATEMENTS) + len(FRONTIERS)

    swapped = {"lambda_half": "lambda_one_and_a_half", "lambda_one_and_a_half": "lambda_half"}
    turned = [row | {"attempt": swapped.get(row["attempt"], row["attempt"])} for row in tested]
    by_name = {one["name"]: one["verdict"] for one in put_to_the_test(turned, tried)}
    assert by_name["larger_lambda"] == "not reproduced"
    assert by_name["unmasked_against_dmt"] == "reproduced"

    transformer = methods_of(load_preset("miniature-joint"), joint=True)
    tested = [row for row in tested if row["attempt"] in (*transformer, *MULTIPLES)]
    names = {one["name"] for one in put_to_the_test(tested, tried)}
    assert by_name.keys() - names == {"masked_against_uniedit", "unmasked_against_dmt"}
