import json
import math
from types import SimpleNamespace

import pytest

from jobs.evaluation.miniature.cases import draw_edits
from jobs.evaluation.miniature.examiner import MiniatureExaminer
from jobs.evaluation.studies import command as job
from jobs.evaluation.studies import joint as study
from jobs.evaluation.studies import studies as choices
from jobs.evaluation.studies.joint import DEFAULT, FACTORS, PLAIN, PRESET, Kept, study_joint
from pipelines.errors import RunError
from pipelines.storage import Storage
from strmatch.settings import EditSettings

CASES = draw_edits(3, "dev", 0)
GAINS = {"joint": 0.5, "direct": 4.0}
"""Relative step at λ = 1, by slices. 1 for others."""
LOST = 0.25
"""What direct relevance loses in overlap, of every clip."""


class Laboratory:
    """Answers as the pool of examiners does, and fails after some edits if asked to."""

    def __init__(self, edits=math.inf):
        self.left = edits
        self.watched, self.edited = [], []

    def run(self, tasks):
        for name, arguments in tasks:
            if name == "watch":
                _, changes = arguments
                self.watched.append(changes)
                yield {"relative_step": GAINS.get(changes["slices"], 1.0) * changes["lam"]}
                continue
            if self.left == 0:
                raise InterruptedError
            self.left -= 1
            _, index, methods = arguments
            self.edited.append(index)
            yield [SimpleNamespace(row=row(index, changes)) for changes in methods.values()]


def row(index, changes):
    overlap = 0.9 - 0.1 * index - LOST * (changes["slices"] == "direct")
    return {
        "asked_colour": True,
        "asked_shape": None if index else changes["lam"] > 0,
        "kept": [True],
        "centroid_px": math.inf if index == 2 else 1.0,
        "background_psnr": 50.0,
        "counterfactual_iou": overlap,
        "counterfactual_psnr": 25.0,
    }


@pytest.fixture
def kept(tmp_path):
    return Kept(Storage(str(tmp_path / "study")), "revision", "dev", 0)


def test_every_factor_is_compared_at_the_default_step_beside_no_step(kept):
    laboratory = Laboratory()
    rows = dict(study_joint(laboratory, CASES, kept))
    assert list(rows) == [*FACTORS, PLAIN]
    lam = PRESET.edit.lam
    assert rows["default"]["lam"] == lam and rows[PLAIN]["lam"] == 0
    assert rows["joint slices"]["lam"] == pytest.approx(2 * lam)
    assert rows["direct relevance"]["lam"] == pytest.approx(lam / 4)
    assert rows["separated heads"]["lam"] == pytest.approx(lam)


def test_differences_to_the_default_are_of_the_same_clips(kept):
    rows = dict(study_joint(Laboratory(), CASES, kept))
    direct = rows["direct relevance"]["difference_counterfactual_iou"]
    assert (direct.value, direct.low, direct.high) == pytest.approx((-LOST,) * 3)
    assert rows["default"]["difference_counterfactual_iou"].value == 0
    plain = rows[PLAIN]["difference_fidelity"]
    assert plain.value == pytest.approx(-0.5 / 3) and plain.low < plain.value < plain.high
    assert rows[PLAIN]["difference_centroid_px"].value == 0  # without the clip of infinities


def test_factors_change_one_field_each_to_settings_that_exist():
    for name, changes in FACTORS.items():
        assert len(changes) == (name != "default")
        assert all(DEFAULT.get(field) != value for field, value in changes.items())
        EditSettings(**DEFAULT | changes)


def test_a_stopped_study_goes_on_where_it_was(kept):
    stopped = Laboratory(edits=2)
    with pytest.raises(InterruptedError):
        list(study_joint(stopped, CASES, kept))
    assert stopped.edited == [0, 1]
    again = Laboratory()
    rows = list(study_joint(again, CASES, kept))
    assert again.watched == [] and again.edited == [2]
    whole = Kept(Storage(str(kept.storage) + "-whole"), "revision", "dev", 0)
    assert rows == list(study_joint(Laboratory(), CASES, whole))
    other = Laboratory()
    list(study_joint(other, CASES, Kept(kept.storage, "other", "dev", 0)))
    assert other.edited == [0, 1, 2]


def test_a_study_is_refused_with_a_model_of_the_other_kind(joint_weights, tmp_path):
    with pytest.raises(RunError, match="the study joint needs --weights of a model with joint"):
        job.study("joint", 1, 0, "dev", None, tmp_path)
    with pytest.raises(RunError, match="the study factors is for factorised models"):
        job.study("factors", 1, 0, "dev", joint_weights, tmp_path)


class InProcess:
    """The pool, without processes of its own."""

    def __init__(self, make, processes):
        self.examiner = MiniatureExaminer(*make.args, num_inference_steps=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, tasks):
        for name, arguments in tasks:
            yield getattr(self.examiner, name)(*arguments)


@pytest.mark.slow
def test_a_model_leaves_a_table_its_numbers_and_a_plot(joint_weights, tmp_path, monkeypatch):
    few = ("default", "direct relevance", "separated heads", "T over 3×3 positions")
    monkeypatch.setattr(study, "FACTORS", {name: FACTORS[name] for name in few})
    monkeypatch.setattr(choices, "CALIBRATION_ROUNDS", 1)
    monkeypatch.setattr(job, "Pool", InProcess)
    job.study("joint", 2, 0, "dev", joint_weights, tmp_path)
    lines = (tmp_path / "joint.md").read_text().splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == [*few, PLAIN]
    found = json.loads((tmp_path / "joint.json").read_text())
    psnrs = {found[name]["counterfactual_psnr"]["value"] for name in found}
    assert len(psnrs) == len(found)  # every variant makes another edit
    assert "difference_counterfactual_psnr" in found["default"]
    assert PLAIN in (tmp_path / "joint.svg").read_text()
