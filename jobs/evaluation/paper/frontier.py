"""Frontiers: the trade-off of fidelity and preservation over a method's strengths."""

from collections.abc import Sequence

import numpy as np

from jobs.evaluation.figures import Figure
from jobs.evaluation.paper.choose import by_attempt
from pipelines.rows import Row

DRAWS = 2000
POINTS = 21
"""Number of points at which two frontiers are compared."""


def frontier(rows: Sequence[Row], method: str, metric: str) -> np.ndarray:
    """Returns a metric of a method (strengths, cases), in the order of its grid.

    Args:
        rows: results of `grid`.
    """
    tried = [group for name, group in by_attempt(rows).items() if name.startswith(f"{method}@")]
    return np.array([[row[metric] for row in group] for group in tried], float)


def frontier_gain(
    rows: Sequence[Row], ours: str, theirs: str, preserved: str, fidelity: str
) -> Figure:
    """Returns the gain in fidelity of one method over another at equal preservation.

    Averaged over the common range of preservation. Fidelity between strengths is interpolated
    linearly. The 95 % interval is the bootstrap's over the cases. NaN without a common range.

    Args:
        rows: results of `grid`.
        preserved: a metric, lower is better.
        fidelity: a metric, higher is better.
    """
    found = [
        (frontier(rows, method, preserved), frontier(rows, method, fidelity))
        for method in (ours, theirs)
    ]
    cases = found[0][0].shape[1]
    random = np.random.default_rng(0)
    draws = [np.arange(cases), *random.integers(cases, size=(DRAWS, cases))]
    gains = np.array([_gain(found, drawn) for drawn in draws])
    value, known = gains[0], gains[1:][np.isfinite(gains[1:])]
    if np.isnan(value) or not len(known):
        return Figure(np.nan, np.nan, np.nan)
    low, high = np.quantile(known, [0.025, 0.975])
    return Figure(float(value), float(low), float(high))


def _gain(found: Sequence[tuple[np.ndarray, np.ndarray]], cases: np.ndarray) -> float:
    lines = []
    for preserved, fidelity in found:
        x, y = preserved[:, cases].mean(axis=1), fidelity[:, cases].mean(axis=1)
        order = x.argsort()
        lines.append((x[order], y[order]))
    low = max(x[0] for x, _ in lines)
    high = min(x[-1] for x, _ in lines)
    if low >= high:
        return float("nan")
    where = np.linspace(low, high, POINTS)
    first, second = (np.interp(where, x, y) for x, y in lines)
    return float(np.mean(first - second))
