from collections import Counter
from dataclasses import replace

import pytest

from jobs.evaluation.proof.settings import BIASES, FULL, MAIN_BIAS, MAIN_RATIO, QUICK, SETTINGS
from jobs.evaluation.proof.worlds import STRIDE, draw_test, draw_training
from strmatch.miniature.scenes import attributes

pytestmark = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)


@pytest.mark.parametrize("bias", BIASES)
def test_a_share_of_the_training_clips_has_the_nuisance_of_its_label(setting, bias):
    samples = draw_training(setting, FULL.clips, bias, seed=3)
    paired = dict(setting.pairs)
    conflicting = [one for one in samples if one.nuisance != paired[one.label]]
    assert len(conflicting) == round((1 - bias) * FULL.clips)
    assert set(Counter(one.label for one in samples).values()) == {FULL.clips // 4}
    if bias == MAIN_BIAS:
        each = len(conflicting) // 4
        assert set(Counter(one.label for one in conflicting).values()) == {each}


def test_sets_of_different_biases_differ_in_the_nuisance_of_few_clips(setting):
    first, second = (draw_training(setting, FULL.clips, bias, seed=3) for bias in (0.90, 0.99))
    changed = [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]]
    assert 0.08 < len(changed) / FULL.clips < 0.1
    for one, other in changed:
        assert one.scene == replace(other.scene, background=one.scene.background)


def test_the_scenes_show_label_and_nuisance(setting):
    for sample in draw_training(setting, 40, 0.9, seed=3):
        shown = attributes(sample.scene)
        assert getattr(shown, setting.label) == sample.label
        assert getattr(shown, setting.nuisance) == sample.nuisance


def test_test_sets_are_aligned_independent_or_conflicting(setting):
    paired = dict(setting.pairs)

    def agreeing(kind):
        drawn = draw_test(setting, kind, 240, seed=3)
        return sum(one.nuisance == paired[one.label] for one in drawn) / len(drawn)

    assert agreeing("aligned") == 1
    assert agreeing("conflicting") == 0
    assert 0.15 < agreeing("uncorrelated") < 0.35


def test_training_and_test_clips_are_others_and_seeds_give_others(setting):
    training = {one.scene for one in draw_training(setting, 40, 0.9, seed=3)}
    assert len(training) == 40
    assert not training & {one.scene for one in draw_test(setting, "aligned", 240, seed=3)}
    assert not training & {one.scene for one in draw_training(setting, 40, 0.9, seed=4)}


def test_sizes_fit_the_draw(setting):
    for sizes in (FULL, QUICK):
        assert sizes.clips % len(setting.labels) == 0 and sizes.clips % STRIDE
        assert MAIN_BIAS in sizes.biases and {0.0, MAIN_RATIO} <= set(sizes.ratios)
