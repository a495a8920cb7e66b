import math

import numpy as np
import pytest

from jobs.evaluation.figures import mean, median, share


def test_a_share_has_wilsons_interval():
    figure = share([True] * 8 + [False] * 2)
    assert figure.value == 0.8
    assert (figure.low, figure.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_a_perfect_share_is_not_certain():
    figure = share([True] * 20)
    assert figure.value == figure.high == 1 and 0.83 < figure.low < 0.85


def test_the_bootstrap_covers_the_median_of_a_known_distribution_most_of_the_time():
    generator = np.random.default_rng(1)
    figures = [median(list(generator.normal(size=40))) for _ in range(60)]
    assert sum(figure.low <= 0 <= figure.high for figure in figures) >= 52
    assert all(figure.low <= figure.value <= figure.high for figure in figures)


def test_a_mean():
    figure = mean([1.0, 2.0, 3.0])
    assert figure.value == 2 and 1 <= figure.low < 2 < figure.high <= 3


def test_infinite_values_are_the_largest():
    assert median([1.0, 2.0, math.inf]).value == 2
    assert median([1.0, math.inf, math.inf]).value == math.inf


def test_nothing_measured_is_no_number():
    assert math.isnan(share([]).value) and math.isnan(median([]).low)


def test_the_order_of_equal_samples_does_not_matter_for_the_value():
    assert median([3.0, 1.0, 2.0]).value == median([1.0, 2.0, 3.0]).value
