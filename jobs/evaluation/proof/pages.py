"""The results of the experiment as tables, plots, Markdown and one HTML page."""

import base64
import io
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
import matplotlib

from jobs.evaluation.figures import Figure
from jobs.evaluation.proof.arms import BIASED, DUPLICATED, ORACLE, SDEDIT, STR_MATCH
from jobs.evaluation.proof.results import MAIN_TEST, Results
from jobs.evaluation.proof.settings import MAIN_RATIO
from jobs.evaluation.proof.worlds import TESTS
from jobs.evaluation.tables import TextTable

matplotlib.use("svg")

NOTE = (
    "Accuracies are means over seeds and test clips. In brackets: 95 % intervals of a bootstrap "
    "over seeds and clips, paired for differences. The gain is the accuracy on conflicting clips "
    "less that of duplicated clips, its share is that of the exact counterfactuals' gain."
)
EDIT_RATES = {
    "ok": "ok",
    "label_kept": "label kept",
    "right": "right",
    "label_kept_of_ok": "of ok: label kept",
    "right_of_ok": "of ok: right",
}
COLOURS = {
    STR_MATCH: "tab:orange",
    ORACLE: "tab:green",
    DUPLICATED: "tab:red",
    SDEDIT: "tab:purple",
    BIASED: "tab:grey",
}
"""Colours of the arms that are compared at all biases."""


def tables(figures: Mapping[str, Any]) -> dict[str, TextTable]:
    """The tables of one setting: arms, differences, biases, ratios and edits."""
    arms = [
        [arm, *(_percent(found[name]) for name in (*TESTS, "worst_group", "gain", "share_of_gain"))]
        for arm, found in figures["arms"].items()
    ]
    biases = [
        [f"{float(bias):.2f}", arm, _percent(found[MAIN_TEST]), _percent(found["share_of_gain"])]
        for bias, of_arms in figures["biases"].items()
        for arm, found in of_arms.items()
    ]
    ratios = [
        [f"{100 * float(ratio):.0f} %", _percent(found[MAIN_TEST]), _percent(found["difference"])]
        for ratio, found in figures["ratios"].items()
    ]
    edits = [
        [name, str(found["edits"]), *(_percent(found[rate]) for rate in EDIT_RATES)]
        for name, found in figures["edits"].items()
    ]
    apart = [[name, _percent(value)] for name, value in figures["differences"].items()]
    return {
        "arms": TextTable(
            ["arm", *TESTS, "worst group", "gain", "share of the oracle's gain"], arms
        ),
        "differences": TextTable(["difference on conflicting clips", ""], apart),
        "biases": TextTable(["bias ρ", "arm", "conflicting", "share of the gain"], biases),
        "ratios": TextTable(
            ["edits per clip", "conflicting", f"less that at {100 * MAIN_RATIO:.0f} %"], ratios
        ),
        "edits": TextTable(
            ["editor", "edits", *EDIT_RATES.values()],
            edits,
        ),
    }


def printable(results: Results) -> list[Any]:
    """The tables for a terminal: less columns, and intervals where arms are compared."""
    shown = []
    for name, figures in results["settings"].items():
        whole = tables(figures)
        arms = [
            [
                arm,
                _short(found["aligned"]),
                _percent(found[MAIN_TEST]),
                _short(found["worst_group"]),
                _percent(found["share_of_gain"]),
            ]
            for arm, found in figures["arms"].items()
        ]
        head = [f"{name}: arm", "aligned", MAIN_TEST, "worst", "share of gain"]
        edits = [
            [editor, str(found["edits"]), *(_short(found[rate]) for rate in EDIT_RATES)]
            for editor, found in figures["edits"].items()
        ]
        whole |= {"arms": TextTable(head, arms), "edits": whole["edits"]._replace(rows=edits)}
        shown += [table.printable(1) for table in whole.values()]
    return shown


def markdown(results: Results) -> str:
    """The tables as a Markdown document."""
    parts = [f"# Proof of use on {results['clips']} training clips\n", f"{NOTE}\n"]
    for figures in results["settings"].values():
        parts += [
            f"## {title(figures)}\n",
            *(f"{t.markdown()}\n" for t in tables(figures).values()),
        ]
    return "\n".join(parts)


def title(figures: Mapping[str, Any]) -> str:
    """The heading of a setting."""
    return f"Label: {figures['label']}, nuisance: {figures['nuisance']}"


def html(results: Results, plots: Mapping[str, bytes]) -> str:
    """The tables and the plots as one HTML file without references to others."""
    template = files("jobs.evaluation.proof").joinpath("page.html.j2").read_text("utf-8")
    sections = [
        (
            title(figures),
            list(tables(figures).values()),
            base64.b64encode(plots[name]).decode(),
        )
        for name, figures in results["settings"].items()
    ]
    page = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(template)
    return page.render(results=results, sections=sections, note=NOTE)


def plots(results: Results) -> dict[str, bytes]:
    """An SVG file for each setting: arms, biases and mixing ratios on conflicting clips."""
    return {name: _plot(figures) for name, figures in results["settings"].items()}


def _plot(figures: Mapping[str, Any]) -> bytes:
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.2), width_ratios=(1.4, 1, 1))
    arms = list(figures["arms"])[::-1]
    for row, arm in enumerate(arms):
        _point(left, figures["arms"][arm][MAIN_TEST], row, COLOURS.get(arm, "tab:blue"))
    left.set_yticks(range(len(arms)), arms)
    left.set_xlabel("accuracy on conflicting clips, %")
    by_arm: dict[str, list[tuple[float, Figure]]] = {}
    for bias, of_arms in figures["biases"].items():
        for arm, found in of_arms.items():
            by_arm.setdefault(arm, []).append((float(bias), found[MAIN_TEST]))
    for arm, points in by_arm.items():
        _line(middle, points, arm)
    middle.set_xlabel("bias ρ")
    middle.legend(fontsize=7, frameon=False)
    ratios = [(100 * float(r), found[MAIN_TEST]) for r, found in figures["ratios"].items()]
    _line(right, ratios, STR_MATCH)
    right.set_xlabel("edits per 100 clips")
    for axes in (middle, right):
        axes.set_ylabel("accuracy on conflicting clips, %")
    figure.tight_layout()
    with io.BytesIO() as written:
        figure.savefig(written, format="svg")
        plt.close(figure)
        return written.getvalue()


def _point(axes: Any, figure: Figure, row: int, colour: str) -> None:
    value, *apart = ([each] for each in _interval(figure))
    axes.errorbar(value, [row], xerr=apart, fmt="o", color=colour, capsize=3)


def _line(axes: Any, points: list[tuple[float, Figure]], label: str) -> None:
    x, found = zip(*points, strict=True)
    value, *apart = zip(*map(_interval, found), strict=True)
    axes.errorbar(x, value, yerr=apart, fmt="o-", color=COLOURS[label], capsize=3, label=label)


def _interval(figure: Figure) -> tuple[float, float, float]:
    """A share in percent, and how far its interval reaches below and above.

    Of outcomes that are all equal, the bootstrap's percentiles differ from the mean by rounding.
    """
    value, low, high = (100 * bound for bound in (figure.value, figure.low, figure.high))
    return value, max(0.0, value - low), max(0.0, high - value)


def _percent(figure: Figure) -> str:
    return f"{_whole(figure.value)} % [{_whole(figure.low)} … {_whole(figure.high)}]"


def _short(figure: Figure) -> str:
    return f"{_whole(figure.value)} %"


def _whole(share: float) -> str:
    return f"{100 * share:.0f}" if math.isfinite(share) else "–"
