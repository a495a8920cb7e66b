"""The job behind `strmatch study`: the measurements that a preset's choices rest on."""

from functools import partial
from pathlib import Path

import matplotlib
from rich.console import Console

from jobs.evaluation.command import check
from jobs.evaluation.figures import Figure
from jobs.evaluation.miniature.cases import draw_edits
from jobs.evaluation.miniature.examiner import MiniatureExaminer
from jobs.evaluation.objects.cases import draw_object_edits
from jobs.evaluation.objects.examiner import ObjectsExaminer
from jobs.evaluation.pool import Pool, default_processes
from jobs.evaluation.report import as_json, show
from jobs.evaluation.studies.regions import study_regions
from jobs.evaluation.studies.studies import STUDIES, Row
from jobs.evaluation.studies.verdict import study_verdict
from jobs.evaluation.tables import TextTable
from pipelines.errors import RunError
from strmatch.miniature.splits import Split

matplotlib.use("svg")

console = Console()

AXES = {"background_psnr": "background PSNR, dB", "centroid_px": "centroid error, px"}
"""Measures of preservation, with the labels of their axes."""


def study(
    name: str, clips: int, seed: int, split: Split, weights: str | None, output: Path
) -> None:
    """Run one study and write OUTPUT/NAME.md, .json and .svg.

    The tables are rewritten after each row.

    Raises:
        RunError: the study is unknown, or the weights do not fit.
    """
    if name == "verdict":
        if weights:
            raise RunError("the study verdict takes no --weights: limits belong to a preset")
        study_verdict("miniature", clips, seed, split, output)
        return
    known = STUDIES | {"regions": study_regions}
    if name not in known:
        raise RunError(f"no study {name!r}: one of {', '.join(known)}, verdict")
    weights, _ = check(weights)
    several = name == "regions"
    cases = (draw_object_edits if several else draw_edits)(clips, split, seed)
    examiner = partial(ObjectsExaminer if several else MiniatureExaminer, weights)
    output.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with Pool(examiner, default_processes()) as pool:
        for label, figures in known[name](pool, cases):
            rows.append((label, figures))
            console.print(label, *_cells(figures), sep="  ", highlight=False)
            (output / f"{name}.md").write_text(_markdown(name, rows), "utf-8")
            (output / f"{name}.json").write_text(as_json(dict(rows)), "utf-8")
    _plot(rows, output / f"{name}.svg")


def _cells(figures: dict[str, float | Figure]) -> list[str]:
    return [
        show(name, value.value) if isinstance(value, Figure) else f"{value:.3g}"
        for name, value in figures.items()
    ]


def _markdown(name: str, rows: list[Row]) -> str:
    cells = [[label, *_cells(figures)] for label, figures in rows]
    return TextTable([name, *rows[0][1]], cells).markdown() + "\n"


def _plot(rows: list[Row], path: Path) -> None:
    """Plots fidelity against preservation, a point per row."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for axis, preserved in zip(axes, AXES, strict=True):
        for label, figures in rows:
            fidelity = (figures["subject_colour"].value + figures["subject_shape"].value) / 2
            axis.plot(figures[preserved].value, 100 * fidelity, "o", color="tab:blue")
            axis.annotate(label, (figures[preserved].value, 100 * fidelity), fontsize=8)
        axis.set_xlabel(AXES[preserved])
    axes[0].set_ylabel("subject as asked, %")
    axes[1].invert_xaxis()  # better to the right in both
    figure.tight_layout()
    figure.savefig(path)
