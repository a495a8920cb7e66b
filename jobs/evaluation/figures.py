"""Figures with 95 % intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Figure:
    """An estimate and its 95 % interval. NaN if nothing was measured."""

    value: float
    low: float
    high: float


def share(outcomes: Sequence[bool]) -> Figure:
    """Returns the share of true outcomes with Wilson's interval."""
    if not outcomes:
        return Figure(np.nan, np.nan, np.nan)
    hits = sum(outcomes)
    interval = stats.binomtest(hits, len(outcomes)).proportion_ci(method="wilson")
    return Figure(hits / len(outcomes), float(interval.low), float(interval.high))


def median(values: Sequence[float]) -> Figure:
    """Returns the median with the percentile bootstrap's interval. Infinite values are ranked."""
    return _bootstrap(values, np.median)


def mean(values: Sequence[float]) -> Figure:
    """Returns the mean with the percentile bootstrap's interval."""
    return _bootstrap(values, np.mean)


def _bootstrap(values: Sequence[float], statistic: Callable[..., np.ndarray]) -> Figure:
    if not values:
        return Figure(np.nan, np.nan, np.nan)
    sample = np.asarray(values, dtype=float)
    draws = np.random.default_rng(0).choice(sample, size=(2000, len(sample)))
    # Order statistics, because interpolation between infinities gives NaN.
    low, high = np.quantile(statistic(draws, axis=1), [0.025, 0.975], method="nearest")
    return Figure(float(statistic(sample)), float(low), float(high))
