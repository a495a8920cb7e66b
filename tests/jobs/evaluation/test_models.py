import shutil
from pathlib import Path

import pytest
import torch

from jobs.evaluation.command import check
from jobs.evaluation.miniature.cases import draw_edits
from jobs.evaluation.miniature.examiner import METHODS, MiniatureExaminer
from jobs.evaluation.models import clip_folder, is_joint, preset_of
from jobs.evaluation.paper.cases import draw_case
from jobs.evaluation.paper.examiner import METRICS, PaperExaminer
from jobs.evaluation.paper.methods import Attempt
from pipelines.errors import RunError
from strmatch.backbones.folder import weights_folder
from strmatch.presets import load_preset


def test_a_model_has_the_preset_of_its_kind_and_is_measured_by_one_clip(joint_weights):
    assert is_joint(joint_weights) and not is_joint("miniature")
    assert preset_of(joint_weights) is load_preset("miniature-joint")
    assert preset_of("miniature") is load_preset("miniature")
    embedded = weights_folder("miniature") / "clip"
    assert clip_folder(joint_weights) == clip_folder("miniature") == embedded
    assert check(joint_weights)[0] == joint_weights


def test_models_that_read_other_words_are_refused(joint_weights, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(joint_weights, folder)
    words = folder / "tokenizer" / "tokenizer.json"
    words.write_text(words.read_text().replace("circle", "sphere"))
    with pytest.raises(RunError, match="no clip/ and other words than the embedded model"):
        check(str(folder))
    words.unlink()
    with pytest.raises(RunError, match="only the small world's models"):
        check(str(folder))


@pytest.mark.slow
def test_a_joint_model_takes_every_method_but_those_of_unets(joint_weights):
    examiner = PaperExaminer(joint_weights, steps=2)
    names = list(examiner.methods)
    assert set(PaperExaminer("miniature", steps=2).methods) - {*names} == {"dmt", "uniedit"}
    attempts = [Attempt(name, name, examiner.methods[name].grid[1]) for name in names]
    rows = examiner(draw_case(2, "test", 2), attempts)
    assert all(set(row) == {"attempt", *METRICS} for row in rows)
    assert len({row["counterfactual_psnr"] for row in rows}) == len(names)


def test_the_suite_of_the_small_world_generates_rebuilds_and_edits_by_a_joint_model(joint_weights):
    examiner = MiniatureExaminer(joint_weights, num_inference_steps=1)
    (case,) = draw_edits(1, "test", 0)
    (generated,) = examiner.generation([case.source], 0)
    assert generated.frames.shape == (16, 64, 64, 3) and generated.frames.std() > 0
    (rebuilt,) = examiner.round_trip(case.source, 0)
    assert rebuilt.row["vae_psnr"] > 25
    clips = examiner.edits(case, 0, METHODS)
    assert [Path(clip.name).parent.name for clip in clips] == list(METHODS)
    assert torch.tensor([clip.row["counterfactual_psnr"] for clip in clips]).isfinite().all()
