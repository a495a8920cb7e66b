"""The choice of each method's strength on the dev cases."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from jobs.evaluation.paper.methods import Attempt, Methods
from pipelines.rows import Row

CRITERION = "counterfactual_psnr"
"""The metric that strengths are chosen by: the distance of edits from the exact counterfactual. It
covers the requested change and the preserved rest in one number, and is none of the paper's
metrics."""
DEV_CLIPS, DEV_SEED = 8, 0
"""One dev case of every kind of edit, independent of the test's cases."""


def grid(methods: Methods) -> list[Attempt]:
    """Returns every method at every value of its grid, as METHOD@STRENGTH."""
    return [
        Attempt(f"{name}@{strength:g}", name, strength)
        for name, method in methods.items()
        for strength in method.grid
    ]


def choose(rows: Sequence[Row], attempts: Sequence[Attempt]) -> dict[str, float]:
    """Returns the strength of each method with the best mean `CRITERION` over the cases.

    Args:
        rows: results of the attempts.
        attempts: a result of `grid`.
    """
    means = {
        name: float(np.mean([row[CRITERION] for row in group]))
        for name, group in by_attempt(rows).items()
    }
    best: dict[str, Attempt] = {}
    for attempt in attempts:
        held = best.get(attempt.method)
        if held is None or means[attempt.name] > means[held.name]:
            best[attempt.method] = attempt
    return {name: attempt.strength for name, attempt in best.items()}


def by_attempt(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Groups results by attempt, in the order of the cases."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["attempt"]].append(row)
    return dict(groups)
