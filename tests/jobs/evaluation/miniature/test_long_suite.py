import math
from dataclasses import replace

import numpy as np
import pytest

from jobs.evaluation.miniature.long_examiner import METHODS, LongExaminer
from jobs.evaluation.miniature.long_suite import COMPARED, LongSuite, long_figures
from jobs.evaluation.report import tables
from strmatch import STRMatch
from strmatch.miniature.world import render
from strmatch.sampling.windows import find_windows

FRAMES = 20
"""Two windows: 0–15 and 4–19."""


@pytest.fixture(scope="module")
def examiner():
    return LongExaminer("miniature", num_inference_steps=1)


def short_case():
    cases = LongSuite("miniature", 20, 3, "dev").cases()
    moving = [case for case in cases if case.source.sprites[0].motion != "still"]
    return replace(moving[0], num_frames=FRAMES)


def test_longest_clips_are_first():
    tasks = LongSuite("miniature", 4, 0).tasks()
    assert [(arguments[0], arguments[1].num_frames) for _, arguments in tasks] == [
        (method, frames) for frames in (80, 80, 48, 48) for method in METHODS
    ]


def test_windows_edited_on_their_own_are_cross_faded(examiner):
    case = short_case()
    (clip,) = examiner.edit("independent", case, 7)
    assert clip.name == "independent/0007"
    rendered = render([case.source], num_frames=FRAMES)
    frames, mask = rendered.frames[0].numpy(), rendered.masks[0, 0].numpy()
    editor = STRMatch(examiner.backbone)
    expected = np.zeros(frames.shape)
    for window in find_windows(FRAMES, 16):
        part = slice(window.start, window.stop)
        inversion = editor.invert(frames[part], clip.row["source_prompt"])
        edited = editor.edit(inversion, clip.row["target_prompt"], mask=mask[part]).frames
        for weight, place in zip(window.weights, range(window.start, window.stop), strict=True):
            expected[place] += weight * edited[place - window.start]
    assert np.array_equal(clip.frames, expected.round().astype(np.uint8))


def test_figures_of_the_truth_itself_are_perfect(examiner, monkeypatch):
    case = short_case()
    truth = render([case.target], num_frames=FRAMES).frames[0].numpy()
    monkeypatch.setitem(METHODS, "perfect", lambda *_: truth)
    (clip,) = examiner.edit("perfect", case, 0)
    figures = long_figures([clip.row])
    for name in ("subject_colour", "subject_shape", "kept_attribute"):
        assert figures[name].value == 1 or math.isnan(figures[name].value)
    assert figures["centroid_px"].value < 0.3
    assert figures["counterfactual_iou"].value > 0.9
    assert figures["counterfactual_psnr"].value == math.inf
    assert figures["seam"].value == figures["seam_of_truth"].value
    assert figures["drift"].value == figures["drift_of_window"].value == 0
    other = {**clip.row, "asked_colour": False, "seam": math.nan, "centroid_px": math.inf}
    both = long_figures([clip.row, other])
    assert both["subject_colour"].value < 1
    assert both["seam"].value == clip.row["seam"]


def test_methods_are_compared_on_the_same_clips():
    row = dict.fromkeys(("asked_colour", "asked_shape"), True) | {"kept": [], "seam_of_truth": 1.0}
    row |= dict.fromkeys(("background_psnr", "counterfactual_iou", "drift_of_window"), 1.0)
    fused = row | {"counterfactual_psnr": 30.0, "centroid_px": 0.5, "seam": 0.5, "drift": 1.0}
    other = fused | {"counterfactual_psnr": 28.0, "centroid_px": math.inf, "seam": 0.75}
    still = fused | {"seam": math.nan}
    figures = LongSuite.figures({"fused": [fused, still], "independent": [other, fused]})
    found = {name: figures[f"difference_{name}"].value for name in COMPARED}
    expected = {"counterfactual_psnr": 1.0, "centroid_px": 0.0, "seam": -0.25, "drift": 0.0}
    assert found == expected
    shown = tables(figures)[0].markdown()
    assert "1.0 dB" in shown and "-0.25" in shown
