from dataclasses import replace

import numpy as np
import pytest

from jobs.evaluation.miniature import faults
from jobs.evaluation.miniature.truth import counterfactual, shows
from strmatch.miniature.scenes import Scene, Sprite, caption, with_attributes

ONE = Scene((Sprite("circle", "red", "right", 22.0, (16.0, 32.0), 30.0),), "bricks")
SECOND = Sprite("star", "blue", "left", 18.0, (46.0, 14.0), 26.0)
TWO = replace(ONE, sprites=(replace(ONE.sprites[0], start=(16.0, 48.0)), SECOND))


@pytest.mark.parametrize("index", [0, 1])
def test_a_prompt_names_the_scene_that_it_describes(index):
    target = with_attributes(TWO, colour="green", sprite=index)
    assert counterfactual(TWO, caption(TWO), caption(target)) == (index, target)


def test_a_prompt_may_leave_out_a_figure():
    source, target = "a red circle moving right over bricks", "a red cross moving right over bricks"
    assert counterfactual(TWO, source, target) == (0, with_attributes(TWO, shape="cross"))
    assert counterfactual(TWO, "a green circle moving right over bricks", target) is None
    assert counterfactual(TWO, source, "a red pineapple moving right over bricks") is None


def test_a_background_is_the_clips():
    target = with_attributes(TWO, background="dots")
    assert counterfactual(TWO, caption(TWO), caption(target)) == (0, target)


@pytest.mark.parametrize("index", range(8))
def test_the_counterfactual_shows_its_scene_and_plain_faults_do_not(index):
    case = faults.draw(index, "dev", seed=4)
    frames = faults.outcomes(case)
    assert shows(frames[faults.RIGHT], case.source, case.target, 0)
    wrong = ("unchanged", "wrong colour", "wrong figure", "wrong pattern", "noise", "vanished")
    for name in wrong:
        if name in frames:
            assert not shows(frames[name], case.source, case.target, 0), name


def test_another_figure_must_stay_as_it_was():
    target = with_attributes(TWO, colour="green")
    spoilt = with_attributes(target, colour="orange", sprite=1)
    assert shows(faults.frames_of(target), TWO, target, 0)
    assert not shows(faults.frames_of(spoilt), TWO, target, 0)
    assert not shows(faults.frames_of(replace(target, sprites=target.sprites[:1])), TWO, target, 0)


def test_outcomes_are_all_different():
    found = faults.outcomes(faults.draw(1, "dev", seed=4))  # two figures
    assert len(found) >= 16
    names = list(found)
    for first, one in enumerate(names):
        for other in names[first + 1 :]:
            assert not np.array_equal(found[one], found[other]), (one, other)
