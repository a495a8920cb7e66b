import json
import math

import numpy as np
import pytest

from jobs.evaluation import command as job
from jobs.evaluation.annotators import draw_cases, is_exact, overlap, said_right
from jobs.evaluation.several_objects import hides
from pipelines.errors import RunError
from strmatch.miniature.scenes import caption, sample_scene, with_attributes


@pytest.mark.slow
def test_the_suite_prints_and_writes_its_figures(tmp_path, capsys):
    file = tmp_path / "figures.json"
    job.evaluate_annotators(4, 1, "dev", file, processes=1)
    figures = json.loads(file.read_text())
    for name in ("colour", "shape", "motion", "background"):
        assert figures[f"caption_{name}"]["value"] >= 0.75
    assert figures["mask_iou"]["value"] > 0.85
    assert figures["target_exact"]["value"] == 1
    for name in ("objects_named", "objects_masked", "crossing_objects_masked", "objects_changed"):
        assert figures[name]["value"] == 1
    by_tracker = figures["mask_iou_by_tracker"]
    assert set(by_tracker) == {"contrast", "motion"}
    assert {"core", "two_sprites", "moving_background"} <= set(by_tracker["motion"])
    assert 0 < figures["cpu_seconds_by_tracker"]["motion"]["value"] < 5
    assert "caption_shape" in capsys.readouterr().out


def test_an_output_and_an_unknown_suite_are_refused(tmp_path):
    with pytest.raises(RunError, match="--suite annotators takes no --output"):
        job.evaluate("annotators", 4, 0, "dev", None, None, tmp_path)
    with pytest.raises(RunError, match="there is miniature, long, objects, annotators, paper"):
        job.evaluate("all", 4, 0, "dev", None, None, None)


def test_weights_without_a_sam2_are_refused_before_any_work():
    with pytest.raises(RunError, match="there is no folder .*segmenter"):
        job.evaluate("annotators", 4, 0, "dev", "miniature", None, None)


def test_cases_depend_on_the_seed_alone():
    assert draw_cases(20, "dev", 1) == draw_cases(20, "dev", 1)
    one, two = ({case.seed for case in draw_cases(20, "dev", seed)} for seed in (1, 2))
    assert not one & two


def test_figures_hide_each_other_in_the_cases_that_say_so():
    for case in draw_cases(20, "dev", 1):
        if "two objects" in case.kind:
            scene = case.scene()
            assert scene == case.scene() and len(scene.sprites) == 2
            assert hides(scene) == case.kind.endswith("crossing")


def test_attributes_of_a_caption_are_judged_separately():
    scene = sample_scene(3, "dev")
    said = caption(scene)
    assert all(said_right(said, scene).values())
    sprite = scene.sprites[0]
    other = with_attributes(scene, colour="red" if sprite.colour != "red" else "blue")
    assert said_right(caption(other), scene) == {
        "colour": False, "shape": True, "motion": True, "background": True,
    }  # fmt: skip
    both = said_right(f"{said} and a red circle", scene)
    assert not both["shape"]
    diagonal = said.replace("over", "and left over")
    assert not said_right(diagonal, scene)["motion"] or sprite.motion == "still"
    assert not any(said_right("", scene).values())


@pytest.mark.parametrize(
    ("prompt", "exact"),
    [
        ("an orange circle over dots", True),
        ("a orange circle over dots", False),
        ("an orange square over dots", False),
        ("an orange circle over dots now", False),
    ],
)
def test_a_target_differs_in_the_swapped_words_alone(prompt, exact):
    target = {"source_word": "red", "target_word": "orange", "prompt": prompt}
    assert is_exact("a red circle over dots", target) == exact


def test_overlap():
    half = np.zeros((2, 4, 4), bool)
    half[:, :2] = True
    assert overlap(half, half) == 1
    assert math.isclose(overlap(half, np.ones_like(half)), 0.5)
    assert overlap(None, half) == 0
