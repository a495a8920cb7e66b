"""The figures of the experiment, from the results of its trainings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jobs.evaluation.figures import Figure, share
from jobs.evaluation.proof import statistics
from jobs.evaluation.proof.arms import (
    ARMS,
    AT_ALL_BIASES,
    BIASED,
    DUPLICATED,
    ORACLE,
    REJECTED,
    SDEDIT,
    STR_MATCH,
    UNFILTERED,
)
from jobs.evaluation.proof.edits import Edited
from jobs.evaluation.proof.settings import MAIN_BIAS, MAIN_RATIO, Setting, Sizes
from jobs.evaluation.proof.trainings import Training, read_correct
from jobs.evaluation.proof.worlds import TESTS
from pipelines.storage import Storage

Results = dict[str, Any]
MAIN_TEST = "conflicting"
COMPARED = (
    (ORACLE, BIASED),
    (STR_MATCH, DUPLICATED),
    (STR_MATCH, SDEDIT),
    (STR_MATCH, "λ = 0"),
    (STR_MATCH, "colour jitter"),
    (STR_MATCH, "paste by exact mask"),
    (STR_MATCH, UNFILTERED),
    (UNFILTERED, REJECTED),
)
"""Pairs of arms whose difference on conflicting clips is reported."""


class Outcomes:
    """Whether each test clip is right, bool (seeds, clips), by arm, bias and ratio."""

    def __init__(self, output: Storage, setting: Setting, sizes: Sizes) -> None:
        self.output, self.setting, self.sizes = output, setting, sizes

    def __call__(
        self,
        arm: str,
        test: str = MAIN_TEST,
        bias: float = MAIN_BIAS,
        ratio: float | None = None,
    ) -> np.ndarray:
        """Returns the outcomes of an arm on a test set. By default at the arm's own ratio."""
        ratio = ARMS[arm].ratio if ratio is None else ratio
        trainings = [
            Training(self.setting.name, arm, bias, ratio, seed) for seed in range(self.sizes.seeds)
        ]
        read = read_correct(self.output, trainings)
        return np.stack([read[training][test].numpy() for training in trainings])


def figures_of(outcomes: Outcomes, groups: np.ndarray) -> Results:
    """Returns the figures of a setting.

    Args:
        outcomes: of its trainings.
        groups: group of each clip of the test set `uncorrelated`.
    """
    sizes = outcomes.sizes
    return {
        "arms": {arm: _arm(outcomes, arm, groups) for arm in ARMS},
        "differences": {
            f"{ours} − {theirs}": statistics.difference(outcomes(ours), outcomes(theirs))
            for ours, theirs in COMPARED
        },
        "biases": {
            f"{bias:g}": {arm: _gained(outcomes, arm, bias) for arm in AT_ALL_BIASES}
            for bias in sizes.biases
        },
        "ratios": {f"{ratio:g}": _at_ratio(outcomes, ratio) for ratio in sizes.ratios},
    }


def edit_figures(edits: Mapping[str, Sequence[Edited]]) -> Results:
    """Returns, by editor, how many edits are ok, keep the label, and are right; of ok edits, too.

    Args:
        edits: of a setting, by editor.
    """
    return {
        name: {
            "edits": len(found),
            "ok": share([edit.ok for edit in found]),
            "label_kept": share([edit.kept for edit in found]),
            "right": share([edit.right for edit in found]),
            "label_kept_of_ok": share([edit.kept for edit in found if edit.ok]),
            "right_of_ok": share([edit.right for edit in found if edit.ok]),
        }
        for name, found in edits.items()
    }


def _arm(outcomes: Outcomes, arm: str, groups: np.ndarray) -> dict[str, Figure]:
    found: dict[str, Figure] = {
        test: statistics.mean_accuracy(outcomes(arm, test)) for test in TESTS
    }
    found["worst_group"] = statistics.worst_group(outcomes(arm, "uncorrelated"), groups)
    return found | _gained(outcomes, arm, MAIN_BIAS)


def _gained(outcomes: Outcomes, arm: str, bias: float) -> dict[str, Figure]:
    """The accuracy on conflicting clips, what it gains on duplicated clips, and the share of the
    oracle's gain."""
    own, base, oracle = (outcomes(one, bias=bias) for one in (arm, DUPLICATED, ORACLE))
    return {
        MAIN_TEST: statistics.mean_accuracy(own),
        "gain": statistics.difference(own, base),
        "share_of_gain": statistics.share_of_gain(own, base, oracle),
    }


def _at_ratio(outcomes: Outcomes, ratio: float) -> dict[str, Figure]:
    own = outcomes(BIASED) if ratio == 0 else outcomes(STR_MATCH, ratio=ratio)
    return {
        MAIN_TEST: statistics.mean_accuracy(own),
        "difference": statistics.difference(own, outcomes(STR_MATCH, ratio=MAIN_RATIO)),
    }
