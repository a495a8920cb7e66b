from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from jobs.evaluation.miniature import examiner as work
from jobs.evaluation.miniature.cases import draw_edits, draw_pairs, draw_scenes
from jobs.evaluation.miniature.examiner import MiniatureExaminer
from jobs.evaluation.miniature.suite import all_right, edit_figures
from strmatch.miniature.scenes import Scene, Sprite, caption, with_attributes
from strmatch.miniature.world import render


@pytest.fixture(scope="module")
def examiner():
    return MiniatureExaminer("miniature", num_inference_steps=2)


@pytest.fixture
def with_editor(examiner, monkeypatch):
    """The examiner with an editor that answers every edit with the frames of `answer(case)`."""

    def replace(answer):
        editor = SimpleNamespace(
            invert=lambda frames, prompt: frames,
            edit=lambda inversion, prompt, **settings: SimpleNamespace(
                frames=answer(inversion, prompt)
            ),
        )
        monkeypatch.setattr(examiner, "editor", editor)
        return examiner

    return replace


CASES = draw_edits(6, "test", 0)


def measure(examiner, case):
    (clip,) = examiner.edits(case, 0, {"method": {}})
    assert clip.name == "method/0000"
    return clip.row


def test_the_truth_itself_is_a_perfect_edit(with_editor):
    truth = {caption(case.target): render([case.target]).frames[0].numpy() for case in CASES}
    examiner = with_editor(lambda source, prompt: truth[prompt])
    rows = [measure(examiner, case) for case in CASES]
    figures = edit_figures(rows)
    assert figures["subject_colour"].value == figures["subject_shape"].value == 1
    assert figures["kept_attribute"].value == 1
    assert figures["centroid_px"].value < 0.5
    assert figures["counterfactual_iou"].value > 0.97
    assert figures["counterfactual_psnr"].value == np.inf


def test_the_unedited_source_is_no_edit_at_all(with_editor):
    examiner = with_editor(lambda source, prompt: source)
    figures = edit_figures([measure(examiner, case) for case in CASES])
    assert figures["subject_colour"].value == figures["subject_shape"].value == 0
    assert figures["kept_attribute"].value == 1
    assert figures["background_psnr"].value > 30  # what the autoencoder loses
    assert figures["counterfactual_psnr"].value < 30


def test_noise_keeps_nothing(with_editor):
    noise = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
    examiner = with_editor(lambda source, prompt: noise)
    figures = edit_figures([measure(examiner, case) for case in CASES])
    assert figures["kept_attribute"].value == 0
    assert figures["centroid_px"].value == np.inf
    assert figures["counterfactual_iou"].value == 0


def test_a_rendered_clip_is_a_perfect_answer_to_its_caption(examiner, monkeypatch):
    scenes = draw_scenes(4, "test", 1)
    frames = render(scenes).frames.numpy()
    monkeypatch.setattr(work, "generate", lambda *arguments, **settings: frames)
    clips = examiner.generation(scenes, 8)
    assert [clip.name for clip in clips] == [f"generation/{index:04d}" for index in range(8, 12)]
    assert all(clip.row["asked"] == clip.row["seen"] for clip in clips)
    assert all(np.array_equal(clip.frames, clip.truth) for clip in clips)


def test_rendered_clips_of_two_figures_are_perfect_answers_whichever_is_named_first(
    examiner, monkeypatch
):
    scenes = draw_pairs(4, "test", 1)
    turned = [replace(scene, sprites=scene.sprites[::-1]) for scene in scenes]
    frames = render(scenes).frames.numpy()
    monkeypatch.setattr(work, "generate", lambda *arguments, **settings: frames)
    for asked in (scenes, turned):
        clips = examiner.generation_of_two(asked, 8)
        assert [clip.name for clip in clips] == [f"generation_of_two/{8 + i:04d}" for i in range(4)]
        assert all(clip.row["asked"] == clip.row["seen"] for clip in clips)


def test_two_figures_of_exchanged_colours_have_wrong_colours(examiner, monkeypatch):
    circle = Sprite("circle", "red", "still", 20.0, (16.0, 16.0), 0.0)
    star = Sprite("star", "blue", "up", 20.0, (45.0, 45.0), 24.0)
    scene = Scene((circle, star), "checks")
    exchanged = with_attributes(with_attributes(scene, colour="blue"), colour="red", sprite=1)
    frames = render([exchanged]).frames.numpy()
    monkeypatch.setattr(work, "generate", lambda *arguments, **settings: frames)
    (clip,) = examiner.generation_of_two([scene], 0)
    right = {name: all_right(clip.row, name) for name in ("colour", "shape", "motion")}
    assert right == {"colour": False, "shape": True, "motion": True}


@pytest.mark.slow
def test_every_method_edits_with_its_own_settings(examiner, monkeypatch):
    asked = []
    edit = examiner.editor.edit

    def listen(inversion, prompt, **settings):
        asked.append(settings)
        return edit(inversion, prompt, **settings)

    monkeypatch.setattr(examiner.editor, "edit", listen)
    clips = examiner.edits(CASES[0], 3, work.METHODS)
    assert [clip.name for clip in clips] == [f"{name}/0003" for name in work.METHODS]
    free, masked, plain, concatenated = asked
    assert free == {"mask": None}
    assert masked["mask"].shape == (16, 64, 64) and masked["mask"].dtype == bool
    assert plain == {"mask": None, "lam": 0.0}
    assert concatenated["objective"] == "concatenated_maps"


def test_the_relative_step_is_proportional_to_lambda(examiner):
    watched = examiner.watch(CASES[0], {"lam": 0.01})
    doubled = examiner.watch(CASES[0], {"lam": 0.02})
    assert 1.5 < doubled["relative_step"] / watched["relative_step"] < 2.5
    assert watched["rms_ratio"] > 0
