import math

import numpy as np
import pytest

from jobs.evaluation.paper.cases import CHANGED, draw_case
from jobs.evaluation.paper.examiner import METRICS, PaperExaminer, show
from jobs.evaluation.paper.methods import Attempt

CASES = [draw_case(index, "test", 2) for index in range(len(CHANGED))]


@pytest.fixture(scope="module")
def examiner():
    return PaperExaminer("miniature", steps=2)


@pytest.mark.parametrize("case", CASES, ids=CHANGED)
def test_the_exact_counterfactual_is_a_perfect_edit(examiner, case):
    shown = show(case)
    found = examiner.measure(shown, shown.source, shown.truth)
    assert found["fidelity"] == 1.0
    assert found["counterfactual_psnr"] == math.inf
    assert found["centroid_px"] < 1.0
    # The judge names motions of the core: no growth, and no path that turns around.
    assert found["kept"] == 1.0 or case.kind in ("size_change", "long")
    if case.kind != "background":
        assert found["background_difference"] < 0.5


@pytest.mark.parametrize("case", CASES, ids=CHANGED)
def test_the_source_itself_is_no_edit(examiner, case):
    shown = show(case)
    found = examiner.measure(shown, shown.source, shown.source)
    assert found["fidelity"] == 0.0
    assert found["background_difference"] == 0.0 and found["motion_error"] == 0.0
    truth = examiner.measure(shown, shown.source, shown.truth)
    assert found["clip_similarity"] < truth["clip_similarity"]


def test_where_an_edit_is_wanted(examiner):
    for case in CASES:
        shown = show(case)
        assert shown.wanted.shape == shown.source.shape[:3]
        within = shown.wanted[shown.subject].mean()
        assert within == (0.0 if case.kind == "background" else 1.0)
        assert shown.others.any() == (case.kind == "two_objects")


def test_another_object_is_not_judged(examiner):
    shown = show(next(case for case in CASES if case.kind == "two_objects"))
    edited = shown.truth.copy()
    edited[shown.others] = 255 - edited[shown.others]
    found = examiner.measure(shown, shown.source, edited)
    assert found["fidelity"] == 1.0 and np.isfinite(found["centroid_px"])


VARIED = ("str_match", "sdedit", "flowedit", "dmt", "uniedit")
"""One method of each editor, which is tried at both ends of its grid."""


@pytest.mark.slow
def test_every_method_edits_with_its_own_settings(examiner):
    attempts = [
        Attempt(f"{name} {strength}", name, strength)
        for name, method in examiner.methods.items()
        for strength in (method.grid[0], method.grid[-1] if name in VARIED else None)
        if strength is not None
    ]
    rows = examiner(CASES[2], attempts)
    assert [row["attempt"] for row in rows] == [attempt.name for attempt in attempts]
    assert all(set(row) == {"attempt", *METRICS} and row["seconds"] > 0 for row in rows)
    found = {row["attempt"].split()[0]: row["counterfactual_psnr"] for row in rows}
    assert len(set(found.values())) == len(examiner.methods)
    for name in VARIED:
        psnrs = [r["counterfactual_psnr"] for r in rows if r["attempt"].split()[0] == name]
        # Of two steps, all shares between a quarter and three quarters are one.
        assert len(psnrs) == 2 and len(set(psnrs)) == (1 if name == "sdedit" else 2)
