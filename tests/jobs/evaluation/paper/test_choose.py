import numpy as np
import pytest

from jobs.evaluation.paper.choose import CRITERION, by_attempt, choose, grid
from jobs.evaluation.paper.frontier import frontier, frontier_gain
from jobs.evaluation.paper.methods import methods_of
from strmatch.presets import load_preset

METHODS = methods_of(load_preset("miniature"), joint=False)
TRIED = grid(METHODS)


def rows_of(values):
    """Results of the grid; `values` gives the metrics of (method, strength, case)."""
    return [
        {"attempt": attempt.name, "index": case} | values(attempt.method, attempt.strength, case)
        for case in range(4)
        for attempt in TRIED
    ]


def test_every_method_has_equally_many_strengths_and_names_are_unique():
    assert len({len(set(method.grid)) for method in METHODS.values()}) == 1
    names = [attempt.name for attempt in TRIED]
    assert len(set(names)) == len(names)


def test_what_comes_nearest_to_the_truth_on_average_is_chosen():
    best = {name: method.grid[row % 4] for row, (name, method) in enumerate(METHODS.items())}

    def values(method, strength, case):
        return {CRITERION: (20.0 if strength == best[method] else 19.0) + (case == 0) * 5}

    assert choose(rows_of(values), TRIED) == best


def test_one_good_case_does_not_choose():
    first, second = METHODS["sdedit"].grid[:2]

    def values(method, strength, case):
        lucky = method == "sdedit" and strength == first and case == 2
        steady = method == "sdedit" and strength == second
        return {CRITERION: 22.0 if lucky else 21.0 if steady else 20.0}

    assert choose(rows_of(values), TRIED)["sdedit"] == second


def test_results_are_grouped_in_the_order_of_the_cases():
    groups = by_attempt(rows_of(lambda method, strength, case: {}))
    assert all([row["index"] for row in group] == [0, 1, 2, 3] for group in groups.values())


LINE = dict(zip(METHODS["str_match"].grid, (1.0, 2.0, 3.0, 4.0), strict=True))
OTHER = dict(zip(METHODS["concatenated_maps"].grid, (3.0, 4.0, 5.0, 6.0), strict=True))


def straight(lift):
    """Fidelity is ten times what is lost, less `lift` where maps are concatenated."""

    def values(method, strength, case):
        lost = {"str_match": LINE, "concatenated_maps": OTHER}.get(method, LINE).get(strength, 0.0)
        less = lift if method == "concatenated_maps" else 0.0
        return {"lost": lost + 0.01 * case, "won": 10 * lost - less + case}

    return values


def test_a_frontier_has_a_line_a_strength_and_a_column_a_case():
    found = frontier(rows_of(straight(0.0)), "str_match", "lost")
    np.testing.assert_allclose(found, np.add.outer([1.0, 2.0, 3.0, 4.0], [0, 0.01, 0.02, 0.03]))


@pytest.mark.parametrize("lift", [-2.0, 0.0, 3.0])
def test_the_gain_is_the_height_between_two_lines(lift):
    gain = frontier_gain(rows_of(straight(lift)), "str_match", "concatenated_maps", "lost", "won")
    assert gain.value == pytest.approx(lift, abs=1e-9)
    assert gain.low == pytest.approx(lift, abs=1e-9)  # the cases shift both lines alike
    back = frontier_gain(rows_of(straight(lift)), "concatenated_maps", "str_match", "lost", "won")
    assert back.value == pytest.approx(-lift, abs=1e-9)


def test_frontiers_without_anything_in_common_cannot_be_compared():
    def apart(method, strength, case):
        lost = LINE.get(strength, 0.0) + (100.0 if method == "concatenated_maps" else 0.0)
        return {"lost": lost, "won": lost}

    gain = frontier_gain(rows_of(apart), "str_match", "concatenated_maps", "lost", "won")
    assert np.isnan([gain.value, gain.low, gain.high]).all()
