"""The job behind `strmatch study`: the measurements that a preset's choices rest on."""

from functools import partial
from pathlib import Path

import matplotlib
from rich.console import Console

from jobs.evaluation.command import check
from jobs.evaluation.figures import Figure
from jobs.evaluation.miniature.cases import draw_edits
from jobs.evaluation.miniature.examiner import MiniatureExaminer
from jobs.evaluation.models import is_joint
from jobs.evaluation.objects.cases import draw_object_edits
from jobs.evaluation.objects.examiner import ObjectsExaminer
from jobs.evaluation.pool import Pool, default_processes
from jobs.evaluation.report import as_json, show
from jobs.evaluation.studies.joint import Kept, study_joint
from jobs.evaluation.studies.regions import study_regions
from jobs.evaluation.studies.studies import FACTORISED, STUDIES, Row, Study
from jobs.evaluation.studies.verdict import study_verdict
from jobs.evaluation.tables import TextTable
from pipelines.errors import RunError
from pipelines.storage import Storage
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
    if name not in (*STUDIES, "regions", "joint"):
        raise RunError(f"no study {name!r}: one of {', '.join(STUDIES)}, regions, joint, verdict")
    weights, revision = check(weights)
    _check_kind(name, weights)
    several = name == "regions"
    cases = (draw_object_edits if several else draw_edits)(clips, split, seed)
    examiner = partial(ObjectsExaminer if several else MiniatureExaminer, weights)
    output.mkdir(parents=True, exist_ok=True)
    kept = Kept(Storage(str(output)), revision, split, seed)
    others: dict[str, Study] = {"regions": study_regions, "joint": partial(study_joint, kept=kept)}
    run = {**STUDIES, **others}[name]
    rows: list[Row] = []
    with Pool(examiner, default_processes()) as pool:
        for label, figures in run(pool, cases):
            rows.append((label, figures))
            console.print(label, *_cells(figures), sep="  ", highlight=False)
            (output / f"{name}.md").write_text(_markdown(name, rows), "utf-8")
            (output / f"{name}.json").write_text(as_json(dict(rows)), "utf-8")
    _plot(rows, output / f"{name}.svg")


def _check_kind(name: str, weights: str) -> None:
    """Check that the study is for a model of this kind.

    Raises:
        RunError: it is not.
    """
    if name == "joint" and not is_joint(weights):
        raise RunError(
            "the study joint needs --weights of a model with joint attention, as `strmatch "
            "train-miniature --recipe joint` trains"
        )
    if name in FACTORISED and is_joint(weights):
        raise RunError(f"the study {name} is for factorised models: {weights} has joint attention")


def _cells(figures: dict[str, float | Figure]) -> list[str]:
    return [_cell(name, value) for name, value in figures.items()]


def _cell(name: str, value: float | Figure) -> str:
    """A value, with its interval if the value is a difference."""
    if not isinstance(value, Figure):
        return f"{value:.3g}"
    shown = show(name, value.value)
    if not name.startswith("difference_"):
        return shown
    return f"{shown} [{show(name, value.low)} … {show(name, value.high)}]"


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
