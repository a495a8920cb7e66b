from types import SimpleNamespace

import pytest

from jobs.evaluation.miniature.cases import draw_edits
from jobs.evaluation.studies import studies as choices
from jobs.evaluation.studies.studies import FACTORS, PRESET_LAMBDA, STUDIES, matched_lambda
from strmatch.settings import EditSettings

CASES = draw_edits(8, "dev", 0)


class Laboratory:
    """Answers as the pool of examiners does, from a law of its own: step = gain · λ^power."""

    def __init__(self, gain, power=1.0):
        self.gain, self.power = gain, power
        self.edited, self.watched = [], []

    def run(self, tasks):
        for name, arguments in tasks:
            if name == "watch":
                _, changes = arguments
                self.watched.append(changes)
                gain = self.gain / (3 if "reduction" in changes else 1)
                step = gain * changes.get("lam", PRESET_LAMBDA) ** self.power
                yield {"relative_step": step, "rms_ratio": 1 + changes.get("guidance_scale", 0)}
            else:
                _, _, methods = arguments
                self.edited.append(methods["edit"])
                yield []


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    monkeypatch.setattr(choices, "edit_figures", lambda rows: {"rows": len(rows)})


@pytest.mark.parametrize("gain", [1e-4, 0.3, 50.0])
def test_the_lambda_of_a_step_is_found_where_they_are_proportional(gain):
    assert matched_lambda(Laboratory(gain), CASES, {}, 0.01) == pytest.approx(0.01 / gain)


def test_and_nearly_where_they_are_not_quite():
    laboratory = Laboratory(0.2, power=0.9)
    lam = matched_lambda(laboratory, CASES, {}, 0.01)
    assert 0.2 * lam**0.9 == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize("name", STUDIES)
def test_every_row_of_a_study_is_made_on_all_edits(name):
    laboratory = Laboratory(1.0)
    rows = list(STUDIES[name](laboratory, CASES))
    assert len(laboratory.edited) == len(rows) * len(CASES)
    labels = [label for label, _ in rows]
    assert len(set(labels)) == len(labels)
    for changes in laboratory.edited:
        EditSettings(**changes)


def test_factors_differ_from_the_preset_in_one_field_at_the_presets_step():
    laboratory = Laboratory(0.5)
    rows = dict(choices.study_factors(laboratory, CASES))
    assert rows.keys() == FACTORS.keys()
    lams = {name: figures["lam"] for name, figures in rows.items()}
    assert lams.pop("mean, not sum") == pytest.approx(3 * PRESET_LAMBDA)
    assert all(lam == pytest.approx(PRESET_LAMBDA) for lam in lams.values())
    fields = [set(changes) - {"lam"} for changes in laboratory.edited]
    assert max(map(len, fields)) == 1


def test_guidance_is_looked_at_without_a_step():
    laboratory = Laboratory(1.0)
    rows = dict(choices.study_guidance(laboratory, CASES))
    assert rows["3"]["rms_ratio"] == 4.0
    assert {changes["lam"] for changes in laboratory.edited} == {0.0}


def test_the_fast_preset_is_judged_by_its_worst_edits_as_well(monkeypatch):
    laboratory = Laboratory(1.0)
    outcomes = [{"counterfactual_iou": iou, "centroid_px": px} for iou, px in ((0.9, 1), (0.1, 30))]
    monkeypatch.setattr(
        laboratory, "run", lambda tasks: [[SimpleNamespace(row=row) for row in outcomes]]
    )
    rows = dict(choices.study_fast(laboratory, CASES))
    assert list(rows) == ["miniature", "miniature-fast"]
    assert rows["miniature-fast"]["mean_iou"].value == pytest.approx(0.5)
    assert rows["miniature-fast"]["near_its_path"].value == 0.5
