"""Figures with 95 % intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

DRAWS = 2000
"""Samples of the bootstrap."""
AT_ONCE = 2_000_000
"""Values of samples that are in memory at the same time."""


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


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """Returns the mean difference on the same clips with the percentile bootstrap's interval.

    Clips without a finite value of both are excluded.
    """
    first, second = np.asarray(ours, float), np.asarray(theirs, float)
    known = np.isfinite(first) & np.isfinite(second)
    return mean((first[known] - second[known]).tolist())


def _bootstrap(values: Sequence[float], statistic: Callable[..., np.ndarray]) -> Figure:
    if not values:
        return Figure(np.nan, np.nan, np.nan)
    sample = np.asarray(values, dtype=float)
    generator, at_once = np.random.default_rng(0), max(1, AT_ONCE // len(sample))
    drawn = [
        statistic(generator.choice(sample, (min(at_once, DRAWS - done), len(sample))), axis=1)
        for done in range(0, DRAWS, at_once)
    ]
    # Order statistics, because interpolation between infinities gives NaN.
    low, high = np.quantile(np.concatenate(drawn), [0.025, 0.975], method="nearest")
    return Figure(float(statistic(sample)), float(low), float(high))
