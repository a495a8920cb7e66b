"""The suite's results as tables, plots, Markdown and one HTML page."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
import matplotlib
import numpy as np
import rich.table

from jobs.evaluation.figures import Figure
from jobs.evaluation.paper.examiner import METRICS
from jobs.evaluation.paper.frontier import frontier
from jobs.evaluation.paper.methods import Methods
from jobs.evaluation.paper.statements import BL, CS, FC, ME, PAPER_METRICS
from jobs.evaluation.tables import TextTable
from pipelines.rows import Row

matplotlib.use("svg")

Results = dict[str, Any]

SHORT = {FC: "FC ↑", CS: "CS ↑", BL: "BL* ↓", ME: "ME, px ↓"} | {
    "fidelity": "as asked ↑",
    "kept": "rest kept ↑",
    "centroid_px": "off path, px ↓",
    "background_psnr": "background, dB ↑",
    "counterfactual_psnr": "truth, dB ↑",
    "seconds": "s ↓",
}
DIGITS = {FC: 4, CS: 1, BL: 2, ME: 2, "centroid_px": 1, "seconds": 1}
NOTE = (
    "BL* is the mean colour difference of the background, not LPIPS. FC, CS and BL* are means, and "
    "so is what is told from the exact truth; the distance from the path is a median. In brackets: "
    "95 % intervals."
)


def method_rows(results: Results) -> list[list[str]]:
    """Returns a row per method: its name, its strength, and every metric, or why it is left out."""
    tested = [
        [name, f"{results['strengths'][name]:g}", *(_show(m, figures[m]) for m in METRICS)]
        for name, figures in results["methods"].items()
    ]
    return tested + [
        [name, f"left out: {reason}", *("" for _ in METRICS)]
        for name, reason in results["left_out"].items()
    ]


def kind_rows(results: Results) -> list[list[str]]:
    """Returns a row per method: the share of requested attributes that are met, by kind of edit."""
    kinds = list(next(iter(results["kinds"].values())))
    return [
        [name, *(f"{100 * by_kind[kind]:.0f} %" for kind in kinds)]
        for name, by_kind in results["kinds"].items()
    ]


def statement_rows(results: Results) -> list[list[str]]:
    """Returns a row per statement, followed by a row per comparison."""
    rows = []
    for statement in results["statements"]:
        rows.append([statement["claim"], "", "", statement["verdict"]])
        for compared in statement["comparisons"]:
            what = f"{compared['ours']} − {compared['theirs']}: {compared['metric']}"
            if "at_equal" in compared:
                what += f" at equal {compared['at_equal']}"
            figure = _show(compared["metric"], compared["difference"], signed=True)
            rows.append([f"  {what}", compared["wanted"], figure, compared["verdict"]])
    return rows


def tables(results: Results) -> dict[str, TextTable]:
    """The tables of the methods, of the kinds of edits, and of the paper's statements."""
    kinds = list(next(iter(results["kinds"].values())))
    methods = ["method", "strength", *(SHORT[metric] for metric in METRICS)]
    return {
        "methods": TextTable(methods, method_rows(results)),
        "kinds": TextTable(["as asked, by kind", *kinds], kind_rows(results)),
        "statements": TextTable(
            ["statement", "wanted", "difference", "verdict"], statement_rows(results)
        ),
    }


def printable(results: Results) -> list[rich.table.Table]:
    """The tables for a terminal, those of the methods without intervals."""
    whole = tables(results)
    methods = [[cell.split(" [")[0] for cell in row] for row in whole["methods"].rows]
    short = whole | {"methods": whole["methods"]._replace(rows=methods)}
    return [table.printable(padding=1) for table in short.values()]


def markdown(results: Results) -> str:
    """The tables as a Markdown document."""
    title = f"# The paper's comparisons on {results['clips']} rendered clips\n"
    return "\n\n".join([title, NOTE, *(t.markdown() for t in tables(results).values())]) + "\n"


def html(results: Results, plots: Mapping[str, bytes]) -> str:
    """The tables and the plots as one HTML file without references to others."""
    template = files("jobs.evaluation.paper").joinpath("page.html.j2").read_text("utf-8")
    pictures = {name: base64.b64encode(svg).decode() for name, svg in plots.items()}
    shown = list(tables(results).values())
    page = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(template)
    return page.render(results=results, tables=shown, pictures=pictures, note=NOTE)


def plots(results: Results, tried: Sequence[Row], methods: Methods) -> dict[str, bytes]:
    """SVG files by name: the radar of the four metrics, and the frontiers."""
    return {
        "radar": _radar(results["methods"], methods),
        "frontier": _frontiers(tried, methods),
    }


def _radar(found: Mapping[str, Mapping[str, Figure]], methods: Methods) -> bytes:
    """The paper's four metrics, each scaled from the worst method to the best."""
    from matplotlib import pyplot as plt

    angles = np.linspace(0, 2 * np.pi, len(PAPER_METRICS) + 1)
    figure, axes = plt.subplots(figsize=(7, 6), subplot_kw={"projection": "polar"})
    scaled = {}
    for metric in PAPER_METRICS:
        values = np.array([figures[metric].value for figures in found.values()])
        values = -values if metric in (BL, ME) else values
        spread = np.ptp(values) or 1.0
        scaled[metric] = 0.1 + 0.9 * (values - values.min()) / spread
    for row, name in enumerate(found):
        around = [scaled[metric][row] for metric in PAPER_METRICS]
        dashed = "--" if methods[name].masked else "-"
        axes.plot(angles, [*around, around[0]], dashed, label=name, linewidth=1.4)
    axes.set_xticks(angles[:-1], [SHORT[metric] for metric in PAPER_METRICS])
    axes.set_yticks([])
    axes.legend(loc="upper left", bbox_to_anchor=(1.05, 1.0), fontsize=8, frameon=False)
    return _svg(figure)


def _frontiers(tried: Sequence[Row], methods: Methods) -> bytes:
    """Plots CLIP similarity against BL and ME, a line per method through its strengths."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(11, 4.5), sharey=True)
    for axes, preserved in zip(panels, (BL, ME), strict=True):
        for name, method in methods.items():
            x = frontier(tried, name, preserved).mean(axis=1)
            y = frontier(tried, name, CS).mean(axis=1)
            axes.plot(x, y, "o--" if method.masked else "o-", label=name, markersize=4)
        axes.set_xlabel(SHORT[preserved])
        axes.invert_xaxis()  # better to the right
    panels[0].set_ylabel(SHORT[CS])
    panels[1].legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), fontsize=8, frameon=False)
    return _svg(figure)


def _svg(figure: Any) -> bytes:
    from matplotlib import pyplot as plt

    with io.BytesIO() as written:
        figure.savefig(written, format="svg", bbox_inches="tight")
        plt.close(figure)
        return written.getvalue()


def _show(metric: str, figure: Figure, signed: bool = False) -> str:
    percent = metric in ("fidelity", "kept")
    digits = DIGITS.get(metric, 1)

    def one(value: float) -> str:
        if not math.isfinite(value):
            return "–"
        sign = "+" if signed else ""
        return f"{100 * value:{sign}.0f} %" if percent else f"{value:{sign}.{digits}f}"

    return f"{one(figure.value)} [{one(figure.low)} … {one(figure.high)}]"
