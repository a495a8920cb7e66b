"""Figures of trainings with 95 % intervals, by a bootstrap over seeds and test clips at once.

Outcomes are bool (seeds, clips): whether the classifier of each seed is right about each clip.
Figures of several arms draw the same seeds and clips for all of them.
"""

import numpy as np

from jobs.evaluation.figures import DRAWS, Figure


def mean_accuracy(outcomes: np.ndarray) -> Figure:
    """Returns the mean accuracy."""
    return _figure(outcomes.mean(), _drawn_means(outcomes))


def difference(arm: np.ndarray, base: np.ndarray) -> Figure:
    """Returns the accuracy of an arm less that of another."""
    return mean_accuracy(arm.astype(float) - base)


def share_of_gain(arm: np.ndarray, base: np.ndarray, oracle: np.ndarray) -> Figure:
    """Returns the gain of an arm on `base` as a share of the oracle's gain on `base`.

    NaN if the oracle gains nothing. Draws in which it gains nothing are left out of the interval.
    """
    gains = [mine.astype(float) - base for mine in (arm, oracle)]
    (own, whole), (owns, wholes) = [g.mean() for g in gains], [_drawn_means(g) for g in gains]
    if whole <= 0:
        return Figure(np.nan, np.nan, np.nan)
    return _figure(own / whole, owns[wholes > 0] / wholes[wholes > 0])


def worst_group(outcomes: np.ndarray, groups: np.ndarray) -> Figure:
    """Returns the lowest accuracy of a group of clips.

    Args:
        outcomes: bool (seeds, clips).
        groups: int (clips,): the group of each clip.
    """
    by_group = [outcomes[:, groups == group] for group in np.unique(groups)]
    drawn = np.min([_drawn_means(part) for part in by_group], axis=0)
    return _figure(min(part.mean() for part in by_group), drawn)


def _drawn_means(outcomes: np.ndarray) -> np.ndarray:
    """Returns the mean of every draw of seeds and clips with replacement, (DRAWS,)."""
    generator = np.random.default_rng(0)
    seeds, clips = (
        generator.multinomial(size, np.full(size, 1 / size), DRAWS) / size
        for size in outcomes.shape
    )
    return np.einsum("ds,sc,dc->d", seeds, outcomes.astype(float), clips, optimize=True)


def _figure(value: float, drawn: np.ndarray) -> Figure:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Figure(float(value), float(low), float(high))
