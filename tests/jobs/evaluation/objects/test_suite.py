import math
from types import SimpleNamespace

import numpy as np
import pytest

from jobs.evaluation.objects import examiner as work
from jobs.evaluation.objects.cases import draw_object_edits, edited_alone
from jobs.evaluation.objects.examiner import METHODS, Choice, ObjectsExaminer, show
from jobs.evaluation.objects.suite import ObjectsSuite, object_figures
from jobs.evaluation.report import tables
from strmatch import Region, STRMatch
from strmatch.miniature.scenes import caption

CASES = draw_object_edits(4, "test", 2)
TRIO = draw_object_edits(1, "test", 2, objects=3)[0]


@pytest.fixture(scope="module")
def examiner():
    return ObjectsExaminer("miniature", num_inference_steps=1)


@pytest.fixture
def asked(monkeypatch):
    """The prompts and arguments of all edits, which return their clips unchanged."""
    seen = []

    def invert(self, frames, source_prompt):
        return SimpleNamespace(frames=frames, source_prompt=source_prompt)

    def edit(self, inversion, target_prompt, **arguments):
        seen.append((inversion.source_prompt, target_prompt, arguments))
        return inversion

    monkeypatch.setattr(STRMatch, "invert", invert)
    monkeypatch.setattr(STRMatch, "edit", edit)
    return seen


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("edited", [(0,), (1,), (0, 1)])
def test_the_exact_counterfactual_is_right_and_the_source_is_not(examiner, case, edited):
    shown = show(case, edited)
    found = examiner.measure(shown, shown.rendered.frames[1].numpy())
    assert found["right"] and all(found["asked_colour"]) and all(found["asked_shape"])
    assert len(found["asked_colour"]) == len(edited) and max(found["centroid_px"]) < 0.5
    assert found["untouched"] == [True] * (2 - len(edited))
    assert found["counterfactual_psnr"] == math.inf
    same = examiner.measure(shown, shown.source)
    assert not same["right"] and not any(same["asked_colour"] + same["asked_shape"])
    assert all(same["untouched"])


def test_an_edit_by_region_keeps_the_background(examiner):
    (clip,) = examiner.edit("regions", CASES[0], 3)
    assert clip.row["background_psnr"] > 40 and clip.row["seconds"] > 0
    assert not np.array_equal(clip.frames, clip.truth)


def test_one_of_three_objects_is_edited(examiner):
    shown = show(TRIO, (1,))
    found = examiner.measure(shown, shown.rendered.frames[1].numpy())
    assert found["right"] and found["untouched"] == [True, True]


def test_what_happens_to_one_object_is_not_counted_for_the_other(examiner):
    shown = show(CASES[0], (0,))
    edited = shown.rendered.frames[1].numpy().copy()
    edited[shown.masks[1]] = 255 - edited[shown.masks[1]]
    found = examiner.measure(shown, edited)
    assert found["right"] and found["untouched"] == [False]
    assert found["untouched_psnr"][0] < 15 < found["background_psnr"]
    both = examiner.measure(show(CASES[0], (0, 1)), edited)
    assert both["asked_shape"][0] and not both["right"]


def test_regions_have_the_masks_and_words_of_their_objects(examiner, asked):
    shown = show(CASES[1], (0, 1))
    (clip,) = examiner.edit("regions", CASES[1], 3)
    assert clip.name == "regions/0003"
    ((source, regions, arguments),) = asked
    assert source == caption(CASES[1].source)
    assert arguments["joint_prompt"] == caption(CASES[1].target) == clip.row["target_prompt"]
    for index, region in enumerate(regions):
        assert isinstance(region, Region) and np.array_equal(region.mask, shown.masks[index])
        sprite = CASES[1].target.sprites[index]
        assert {sprite.colour, sprite.shape} < {*region.target_prompt.split()}
        assert " and " not in region.target_prompt
        assert region.target_prompt in arguments["joint_prompt"]


def test_one_edits_the_first_object_and_a_sequence_one_after_the_other(examiner, asked):
    examiner.edit("one", CASES[0], 0)
    ((_, between, arguments),) = asked
    assert between == caption(edited_alone(CASES[0], (0,)))
    assert np.array_equal(arguments["mask"], show(CASES[0], (0,)).masks[0])
    asked.clear()
    examiner.edit("sequence", CASES[0], 0)
    masks = show(CASES[0], (0, 1)).masks
    prompts = [caption(CASES[0].source), between, caption(CASES[0].target)]
    for step, (source, target, arguments) in enumerate(asked):
        assert (source, target) == (prompts[step], prompts[step + 1])
        assert np.array_equal(arguments["mask"], masks[step])
    assert len(asked) == 2


def test_every_choice_of_the_study_is_passed_on(examiner, asked):
    whole = caption(CASES[0].target)
    for choice, prompt, dilation in (
        (Choice(), " moving ", 3),
        (Choice(named_by="noun"), "", 3),
        (Choice(named_by="caption"), " over ", 3),
        (Choice(named_by="whole"), whole, 3),
        (Choice(dilates=False), " moving ", 1),
    ):
        (clip,) = examiner.choose("some", CASES[0], 1, choice)
        _, regions, arguments = asked.pop()
        assert clip.name == "some/0001" and len(regions) == 2
        assert all(prompt in region.target_prompt for region in regions)
        if not prompt:
            assert not any(" moving " in region.target_prompt for region in regions)
        assert (arguments["joint_prompt"], arguments["mask_dilation"]) == (whole, dilation)


def test_figures_of_a_perfect_method_are_perfect(examiner, monkeypatch):
    truth = {name: lambda of, shown: shown.rendered.frames[1].numpy() for name in METHODS}
    monkeypatch.setattr(work, "METHODS", truth)
    tasks = ObjectsSuite("miniature", 1, 2).tasks()
    assert len(tasks) == len(METHODS)
    rows = {name: [] for name in METHODS}
    for name, arguments in tasks:
        (clip,) = getattr(examiner, name)(*arguments)
        rows[clip.name.split("/")[0]].append(clip.row)
    edits = ObjectsSuite.figures(rows)["edits"]
    for method, figures in edits.items():
        shares = ("subject_colour", "subject_shape", "all_right")
        assert all(figures[name].value == 1 for name in shares)
        assert (figures["untouched"].value == 1) == (method == "one")
        assert figures["centroid_px"].value < 0.5
    assert object_figures(rows["one"] + [{**rows["one"][0], "right": False}])["all_right"].value < 1
    (table,) = tables({"edits": edits})
    assert table.rows[0][table.head.index("seconds")].endswith(" s")
