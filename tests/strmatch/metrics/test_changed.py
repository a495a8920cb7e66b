import math

import numpy as np
import pytest

from strmatch.metrics.base import Sample
from strmatch.metrics.changed import Changed
from tests.strmatch.metrics.clips import beside

METRIC = Changed()
BLACK = np.zeros((2, 32, 32, 3), np.uint8)
MASK = np.zeros((2, 32, 32), bool)
MASK[:, 8:24, 8:24] = True


def test_a_copy_of_the_source_is_no_change():
    assert METRIC(beside(BLACK, BLACK, MASK)) == 0
    assert METRIC(beside(BLACK, BLACK, None)) == 0


def test_the_share_follows_from_the_mean_differences():
    """White and black are 100 apart. The region has 20 × 20 pixels, of which the edit has half."""
    edited = BLACK.copy()
    edited[:, 6:16, :] = 255
    inside, outside = 100 / 2, 100 * (10 * 12) / (32 * 32 - 400)
    expected = inside / (inside + outside + 2)
    # The blur is the same on both sides of the edges.
    assert METRIC(beside(BLACK, edited, MASK)) == pytest.approx(expected, abs=0.02)


def test_a_change_elsewhere_is_none_here():
    edited = BLACK.copy()
    edited[:, :4] = 255
    assert METRIC(beside(BLACK, edited, MASK)) < 0.01
    edited[:] = 255
    assert METRIC(beside(BLACK, edited, MASK)) == pytest.approx(100 / 202, abs=1e-3)
    assert METRIC(beside(BLACK, edited, None)) == pytest.approx(100 / 102, abs=1e-3)


def test_an_empty_mask_has_no_value():
    assert math.isnan(METRIC(Sample(BLACK, BLACK, np.zeros_like(MASK), "", "")))
