"""The figures of a comparison as a table of text."""

import math
from collections.abc import Mapping
from typing import Any

from jobs.comparison.results import SECONDS
from jobs.evaluation.figures import Figure
from jobs.evaluation.tables import TextTable
from pipelines.config.sections import Bounds
from pipelines.schema import METRIC_PREFIX, metric_column

DASH = "–"
FEWEST = 6
"""Pairs of which an interval is believed: five of one sign have 6 % by the sign test."""


def table(results: Mapping[str, Mapping[str, Any]], limits: Mapping[str, Bounds]) -> TextTable:
    """Returns a row per figure and a column per editor.

    A cell has the value, and below, of all editors but the first, the difference to the first with
    its interval.
    """
    return TextTable(
        ["", *results],
        [
            [label, *(_cell(own, number) for own in results.values())]
            for number, label in labels(results, limits).items()
        ],
    )


def labels(
    results: Mapping[str, Mapping[str, Any]], limits: Mapping[str, Bounds]
) -> dict[str, str]:
    """Returns the words for each number of `results`: metrics with their limits."""
    bounds = {metric_column(name).removeprefix(METRIC_PREFIX): b for name, b in limits.items()}
    numbers = dict.fromkeys(n for own in results.values() for n in own["values"])
    named = {"ok": "ok", SECONDS: "seconds an edit"}
    return {n: named.get(n) or n.replace("_", " ") + _limits(bounds.get(n)) for n in numbers}


def _limits(bounds: Bounds | None) -> str:
    if bounds is None:
        return ""
    ends = {"≥": bounds.min, "≤": bounds.max}
    stated = " ".join(f"{sign} {end:g}" for sign, end in ends.items() if end is not None)
    return f" ({stated})" if stated else ""


def _cell(own: Mapping[str, Any], number: str) -> str:
    lines = [show(number, own["values"].get(number)).partition(" [")[0]]
    if number in own.get("differences", {}):
        lines.append(show(number, own["differences"][number], signed=True))
    return "\n".join(lines)


def show(number: str, figure: Figure | None, signed: bool = False) -> str:
    """Returns a figure with its interval: "71 % [52 … 85]"."""
    if figure is None or math.isnan(figure.value):
        return DASH
    sign = "+" if signed else ""
    value, low, high = (_digits(number, v, sign) for v in (figure.value, figure.low, figure.high))
    return f"{value}{' %' if number == 'ok' else ''} [{low} … {high}]"


def is_certain(difference: Figure, pairs: int) -> bool:
    """Whether the interval of a difference excludes 0, and is of enough pairs to be believed."""
    return pairs >= FEWEST and (difference.low > 0 or difference.high < 0)


def _digits(number: str, value: float, sign: str) -> str:
    return f"{100 * value:{sign}.0f}" if number == "ok" else f"{value:{sign}.3g}"
