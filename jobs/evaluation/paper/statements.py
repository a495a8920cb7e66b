"""The paper's statements, tested by paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.evaluation.figures import Figure, paired_difference
from jobs.evaluation.paper.choose import CRITERION, by_attempt
from jobs.evaluation.paper.frontier import frontier_gain
from pipelines.rows import Row


@dataclass(frozen=True)
class Comparison:
    """The difference of a metric between two methods on the same clips."""

    ours: str
    theirs: str
    metric: str
    wanted: int
    """Sign of the difference in the paper: 1 more, −1 less, 0 about equal."""
    margin: float = 0.0
    """Largest difference that counts as about equal."""


@dataclass(frozen=True)
class Statement:
    """A claim, and the comparisons that must all hold for it."""

    name: str
    claim: str
    comparisons: tuple[Comparison, ...]


FC, CS, BL, ME = PAPER_METRICS = (
    "frame_consistency",
    "clip_similarity",
    "background_difference",
    "motion_error",
)
FROM_NOISE = ("sdedit", "flowedit")
"""Editors without an inversion, which add fresh noise."""
FRONTIERS = {
    "concatenated_maps": "At equal preservation, the STR score has more CS than concatenated maps",
    "sdedit": "Not in the paper: at equal preservation, STR-Match has more CS than SDEdit",
    "flowedit": "Not in the paper: at equal preservation, STR-Match has more CS than FlowEdit",
}
"""Claims on the frontiers of `str_match` and of these methods, on the dev clips."""
COMPARABLE = 1.0
"""Margin of comparable CLIP similarity, in hundredths of the cosine."""


def _each(ours: str, theirs: str, wanted: Mapping[str, int]) -> tuple[Comparison, ...]:
    return tuple(Comparison(ours, theirs, metric, sign) for metric, sign in wanted.items())


STATEMENTS = (
    Statement(
        "str_against_concatenation",
        "The STR score instead of concatenated maps: FC and CS up, BL and ME worse",
        _each("str_match", "concatenated_maps", {FC: 1, CS: 1, BL: 1, ME: 1}),
    ),
    Statement(
        "larger_lambda",
        "λ from half to one and a half: FC and CS down, BL and ME better",
        _each("lambda_one_and_a_half", "lambda_half", {FC: -1, CS: -1, BL: -1, ME: -1}),
    ),
    Statement(
        "masked_against_uniedit",
        "With masks, STR-Match is better than UniEdit in all four",
        _each("str_match_masked", "uniedit", {FC: 1, CS: 1, BL: -1, ME: -1}),
    ),
    Statement(
        "unmasked_against_dmt",
        "Without masks, STR-Match keeps background and motion better than DMT at comparable CS",
        (
            Comparison("str_match", "dmt", BL, -1),
            Comparison("str_match", "dmt", ME, -1),
            Comparison("str_match", "dmt", CS, 0, COMPARABLE),
        ),
    ),
    Statement(
        "nearer_than_edits_from_noise",
        "Not in the paper: STR-Match is nearer to the truth than SDEdit and FlowEdit",
        tuple(
            Comparison(f"str_match{masked}", f"{theirs}{masked}", CRITERION, 1)
            for theirs in FROM_NOISE
            for masked in ("", "_masked")
        ),
    ),
)


def difference(comparison: Comparison, groups: Mapping[str, Sequence[Row]]) -> Figure:
    """Returns the mean difference of two methods on the same clips, see `paired_difference`."""
    ours, theirs = (
        [row[comparison.metric] for row in groups[name]]
        for name in (comparison.ours, comparison.theirs)
    )
    return paired_difference(ours, theirs)


def verdict(comparison: Comparison, figure: Figure) -> str:
    """Returns "reproduced", "not reproduced" or "undecided" for one comparison."""
    if comparison.wanted == 0:
        if figure.low > -comparison.margin and figure.high < comparison.margin:
            return "reproduced"
        apart = figure.low > comparison.margin or figure.high < -comparison.margin
        return "not reproduced" if apart else "undecided"
    low, high = sorted((comparison.wanted * figure.low, comparison.wanted * figure.high))
    if low > 0:
        return "reproduced"
    return "not reproduced" if high < 0 else "undecided"


def overall(verdicts: Sequence[str]) -> str:
    """Returns the verdict of a claim, which is that of its weakest comparison."""
    for weakest in ("not reproduced", "undecided"):
        if weakest in verdicts:
            return weakest
    return "reproduced"


def put_to_the_test(tested: Sequence[Row], tried: Sequence[Row]) -> list[dict[str, Any]]:
    """Returns every statement on tested methods, with its verdict and its comparisons.

    Args:
        tested: results on the test clips.
        tried: results of the whole grid on the dev clips, for the statements on frontiers.
    """
    groups = by_attempt(tested)
    found = []
    for statement in STATEMENTS:
        if not all({each.ours, each.theirs} <= groups.keys() for each in statement.comparisons):
            continue  # the model does not take one of the methods
        compared = [_row(c, difference(c, groups)) for c in statement.comparisons]
        found.append(_tested(statement.name, statement.claim, compared))
    for theirs, claim in FRONTIERS.items():
        compared = []
        for preserved in (BL, ME):
            comparison = Comparison("str_match", theirs, CS, 1)
            gain = frontier_gain(tried, comparison.ours, comparison.theirs, preserved, CS)
            compared.append(_row(comparison, gain) | {"at_equal": preserved})
        found.append(_tested(f"frontier_against_{theirs}", f"{claim} (dev clips)", compared))
    return found


def _row(comparison: Comparison, figure: Figure) -> dict[str, Any]:
    return {
        "metric": comparison.metric,
        "ours": comparison.ours,
        "theirs": comparison.theirs,
        "wanted": {1: "more", -1: "less", 0: "about equal"}[comparison.wanted],
        "difference": figure,
        "verdict": verdict(comparison, figure),
    }


def _tested(name: str, claim: str, compared: list[dict[str, Any]]) -> dict[str, Any]:
    held = overall([one["verdict"] for one in compared])
    return {"name": name, "claim": claim, "verdict": held, "comparisons": compared}
