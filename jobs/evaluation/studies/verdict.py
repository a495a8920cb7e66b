"""The study `verdict`: precision and recall of a preset's limits, against exact truth."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from jobs.evaluation.figures import Figure, share
from jobs.evaluation.miniature.faults import RIGHT
from jobs.evaluation.miniature.verdicts import VerdictExaminer
from jobs.evaluation.pool import Pool, Task, default_processes
from jobs.evaluation.report import as_json
from jobs.evaluation.tables import TextTable
from pipelines.config.loading import load_config
from pipelines.config.sections import Bounds
from pipelines.rows import Row
from pipelines.stages.quality_limits import outside
from strmatch.miniature.splits import Split

Limits = Mapping[str, Bounds]
STEPS = 60
"""Bounds that are compared, per metric."""

console = Console()


def study_verdict(preset: str, clips: int, seed: int, split: Split, output: Path) -> None:
    """Measure the outcomes and the own edits of `clips` scenes, and write the tables and the plot.

    The scenes are of all kinds of the small world, two figures among them. OUTPUT/verdict.md has
    how many edits of every kind the limits accept, verdict.json the figures, and verdict.svg
    precision and recall over each bound.
    """
    limits = load_config(preset).publish.bounds
    tasks: list[Task] = [
        (method, (index, split, seed)) for method in ("edits", "outcomes") for index in range(clips)
    ]
    with Pool(partial(VerdictExaminer, preset), default_processes()) as pool:
        done = list(track(pool.run(tasks), "measuring", len(tasks), console=console))
    edits, outcomes = (
        [row for rows in part for row in rows] for part in (done[:clips], done[clips:])
    )
    results: dict[str, Any] = {
        "preset": preset,
        "split": split,
        "clips": clips,
        "seed": seed,
        "limits": {name: bounds.model_dump() for name, bounds in limits.items()},
        "outcomes": figures(outcomes, limits),
        "accepted": accepted_by(outcomes, "outcome", limits),
        "edits": figures([row for row in edits if row["metrics"]], limits),
        "yield": accepted_by([row for row in edits if row["metrics"]], "kind", limits),
    }
    output.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(table.markdown() for table in tables(results)) + "\n"
    (output / "verdict.md").write_text(text, "utf-8")
    (output / "verdict.json").write_text(as_json(results), "utf-8")
    plot(outcomes, limits, output / "verdict.svg")
    for table in tables(results):
        console.print(table.printable(), "")


def is_within(metrics: Mapping[str, float], limits: Limits) -> bool:
    """Whether the metrics of an edit are within the limits. NaN is within."""
    return not outside(metrics, limits)


def figures(rows: Sequence[Row], limits: Limits) -> dict[str, Figure]:
    """Precision: right edits among those accepted. Recall: accepted edits among the right ones."""
    accepted = [row["right"] for row in rows if is_within(row["metrics"], limits)]
    right = [is_within(row["metrics"], limits) for row in rows if row["right"]]
    return {"precision": share(accepted), "recall": share(right)}


def accepted_by(rows: Sequence[Row], name: str, limits: Limits) -> dict[str, dict[str, Any]]:
    """Per value of a column: the number of edits, the right ones, the accepted, and both."""
    found = {}
    for value in dict.fromkeys(row[name] for row in rows):
        some = [row for row in rows if row[name] == value]
        accepted = [row for row in some if is_within(row["metrics"], limits)]
        found[value] = {
            "edits": len(some),
            "right": sum(row["right"] for row in some),
            "accepted": len(accepted),
            "right of these": sum(row["right"] for row in accepted),
        }
    return found


def tables(results: Mapping[str, Any]) -> Iterator[TextTable]:
    """The figures with their intervals; the outcomes; the own edits by kind."""
    yield TextTable(
        ["", "precision", "95 % interval", "recall", "95 % interval"],
        [
            [name, *_cells(results[part]["precision"]), *_cells(results[part]["recall"])]
            for name, part in (("rendered outcomes", "outcomes"), ("edits of the model", "edits"))
        ],
    )
    for name, part in (("outcome", "accepted"), ("kind of edit", "yield")):
        counts = results[part]
        columns = list(next(iter(counts.values()), {}))
        yield TextTable(
            [name, *columns],
            [[value, *(str(count[c]) for c in columns)] for value, count in counts.items()],
        )


def _cells(figure: Figure) -> list[str]:
    if math.isnan(figure.value):
        return ["–", "–"]
    return [f"{100 * figure.value:.1f} %", f"{100 * figure.low:.0f} … {100 * figure.high:.0f}"]


def curves(
    rows: Sequence[Row], limits: Limits, metric: str
) -> tuple[np.ndarray, list[float], list[float]]:
    """Precision and recall over the bound of a metric, all others in force.

    Returns:
        Bounds, precision, recall. Precision is NaN where nothing is accepted.
    """
    values = np.array([row["metrics"][metric] for row in rows], float)
    low, high = np.nanpercentile(values, [1, 99])
    grid = np.linspace(low, high, STEPS)
    bounded = limits[metric].min is not None
    precision, recall = [], []
    for bound in grid:
        moved = Bounds(min=bound) if bounded else Bounds(max=bound)
        found = figures(rows, {**limits, metric: moved})
        precision.append(found["precision"].value)
        recall.append(found["recall"].value)
    return grid, precision, recall


def plot(rows: Sequence[Row], limits: Limits, path: Path) -> None:
    """Plot precision and recall over each bound; a line marks the bound in force."""
    from matplotlib import pyplot as plt

    columns = 3
    lines = math.ceil(len(limits) / columns)
    figure, axes = plt.subplots(lines, columns, figsize=(11, 3 * lines), sharey=True, squeeze=False)
    for axis, (metric, bounds) in zip(axes.flat, limits.items(), strict=False):
        grid, precision, recall = curves(rows, limits, metric)
        axis.plot(grid, precision, label="precision")
        axis.plot(grid, recall, label="recall")
        in_force = bounds.min if bounds.min is not None else bounds.max
        axis.axvline(in_force, color="grey", linestyle=":")
        axis.set_xlabel(f"{metric}, {'at least' if bounds.min is not None else 'at most'}")
    for axis in axes.flat[len(limits) :]:
        axis.set_visible(False)
    axes[0, 0].legend()
    figure.suptitle(f"{sum(row['outcome'] == RIGHT for row in rows)} scenes, {len(rows)} outcomes")
    figure.tight_layout()
    figure.savefig(path)
