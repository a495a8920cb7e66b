"""Which strength a method is given, and what its strengths trade against each other."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from jobs.evaluation.paper.methods import METHODS, Attempt
from pipelines.rows import Row

CRITERION = "counterfactual_psnr"
"""What a strength is chosen by: how near edits come, all in all, to the exact counterfactual. It
asks for the edit and for all that shall stay in one number, and is none of the paper's metrics."""
DEV_CLIPS, DEV_SEED = 7, 0
"""Of every kind of edit one, whatever is drawn for the test."""


def grid() -> list[Attempt]:
    """Every method at every value of its grid."""
    return [
        Attempt(f"{name}@{strength:g}", name, strength)
        for name, method in METHODS.items()
        for strength in method.grid
    ]


def choose(rows: Sequence[Row]) -> dict[str, float]:
    """The strength of each method that comes nearest to the truth, on average over the cases.

    Args:
        rows: results of `grid`.
    """
    means = {
        name: float(np.mean([row[CRITERION] for row in group]))
        for name, group in by_attempt(rows).items()
    }
    best: dict[str, Attempt] = {}
    for attempt in grid():
        held = best.get(attempt.method)
        if held is None or means[attempt.name] > means[held.name]:
            best[attempt.method] = attempt
    return {name: attempt.strength for name, attempt in best.items()}


def by_attempt(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Results of each attempt, in the order of the cases."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["attempt"]].append(row)
    return dict(groups)
