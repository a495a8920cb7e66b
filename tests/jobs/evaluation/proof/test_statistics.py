import numpy as np
import pytest

from jobs.evaluation.proof.statistics import (
    difference,
    mean_accuracy,
    share_of_gain,
    worst_group,
)

GENERATOR = np.random.default_rng(3)
SEEDS, CLIPS = 5, 240
DIFFICULTY = GENERATOR.random((SEEDS, CLIPS))
BASE, MIDDLE, ORACLE = DIFFICULTY < 0.2, DIFFICULTY < 0.5, DIFFICULTY < 0.8


def test_means_and_differences_lie_in_their_intervals():
    figure = mean_accuracy(MIDDLE)
    assert figure.value == pytest.approx(MIDDLE.mean())
    assert figure.low < figure.value < figure.high
    apart = difference(MIDDLE, BASE)
    assert apart.value == pytest.approx(MIDDLE.mean() - BASE.mean())
    assert 0 < apart.low < apart.value < apart.high


def test_differences_are_paired():
    assert difference(MIDDLE, MIDDLE) == (figure := difference(BASE, BASE))
    assert (figure.value, figure.low, figure.high) == (0, 0, 0)
    unpaired = mean_accuracy(MIDDLE)
    paired = difference(MIDDLE, BASE)
    assert paired.high - paired.low < 1.5 * (unpaired.high - unpaired.low)


def test_the_interval_counts_seeds_and_not_only_clips():
    steady = np.tile(np.arange(CLIPS) % 2 == 0, (SEEDS, 1))
    apart = np.repeat([[True], [True], [False], [False], [True]], CLIPS, axis=1)
    assert mean_accuracy(apart).high - mean_accuracy(apart).low > 0.5
    assert mean_accuracy(steady).high - mean_accuracy(steady).low < 0.2


def test_arms_without_an_effect_seem_to_have_one_in_few_of_many_experiments():
    found = 0
    for _ in range(60):
        one, other = GENERATOR.random((2, SEEDS, CLIPS)) < 0.5
        figure = difference(one, other)
        found += not figure.low <= 0 <= figure.high
    assert found <= 9


def test_the_share_of_the_gain():
    assert share_of_gain(ORACLE, BASE, ORACLE).value == 1
    assert share_of_gain(BASE, BASE, ORACLE).value == 0
    figure = share_of_gain(MIDDLE, BASE, ORACLE)
    assert 0.4 < figure.low < figure.value < figure.high < 0.6
    assert np.isnan(share_of_gain(MIDDLE, BASE, BASE).value)


def test_the_worst_group():
    groups = np.arange(CLIPS) % 4
    outcomes = np.tile(groups != 2, (SEEDS, 1))
    outcomes[:, np.flatnonzero(groups == 2)[:15]] = True
    figure = worst_group(outcomes, groups)
    assert figure.value == 0.25 and figure.low < 0.25 < figure.high < 0.5
