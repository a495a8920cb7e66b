"""The job behind `strmatch evaluate`."""

import json
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from jobs.evaluation import annotators
from jobs.evaluation.miniature.examiner import Clip
from jobs.evaluation.miniature.long_suite import LongSuite
from jobs.evaluation.miniature.suite import Suite
from jobs.evaluation.models import EMBEDDED, knows_small_world
from jobs.evaluation.objects.suite import ObjectsSuite
from jobs.evaluation.paper.command import compare
from jobs.evaluation.pool import Pool, Task, default_processes
from jobs.evaluation.report import Results, as_json, tables
from pipelines.errors import RunError
from pipelines.trackers.miniature import MiniatureTracker
from pipelines.versions import PACKAGE_VERSION
from strmatch import WeightsError
from strmatch.backbones.folder import weights_folder
from strmatch.miniature.splits import Split
from strmatch.weights.manifest import weights_revision

RENDERED = {"miniature": Suite, "long": LongSuite, "objects": ObjectsSuite}
"""Suites whose clips are written with their truth."""
SUITES = (*RENDERED, "annotators", "paper")
console = Console()


def evaluate(
    suite: str,
    clips: int,
    seed: int,
    split: Split,
    weights: str | None,
    json_file: Path | None,
    output: Path | None,
) -> Results:
    """Run a suite, print its tables, and write the requested files.

    Args:
        suite: one of `SUITES`.
        clips: number of clips of the test.
        seed: seed of the cases.
        split: list of attribute combinations that cases are drawn from.
        weights: folder or URI of the model. None: the embedded one.
        json_file: receives all figures.
        output: suites of `RENDERED`: receives each clip with its truth, NAME.npz with `frames` and
            `truth`, uint8 (f, H, W, 3), and clips.jsonl with prompts and measures.
            Suite `paper`: receives results, from which a stopped run resumes, and the page.

    Raises:
        RunError: the suite is unknown, the weights do not fit, or an option does not apply.
    """
    if suite not in SUITES:
        raise RunError(f"--suite {suite}: there is {', '.join(SUITES)}")
    if suite == "annotators":
        if output:
            raise RunError("--suite annotators takes no --output")
        return evaluate_annotators(clips, seed, split, json_file, weights)
    weights, revision = check(weights)
    if suite == "paper":
        if output is None:
            raise RunError("--suite paper needs --output, a folder where it can go on after a stop")
        compared = compare(clips, seed, split, weights, revision, str(output))
        keep(compared, json_file)
        return compared
    asked = RENDERED[suite](weights, clips, seed, split)
    began = time.perf_counter()
    results: Results = {
        "suite": suite,
        "split": split,
        "clips": clips,
        "seed": seed,
        "package_version": PACKAGE_VERSION,
        "model_revision": revision,
    }
    rows = _run(asked, output)
    results |= {"seconds": round(time.perf_counter() - began)} | asked.figures(rows)
    for table in tables(results):
        console.print(table.printable(), "")
    keep(results, json_file)
    return results


def evaluate_annotators(
    clips: int,
    seed: int,
    split: Split,
    json_file: Path | None,
    weights: str | None = None,
    processes: int | None = None,
) -> Results:
    """Run the suite `annotators`, which scores masks, captions and target prompts.

    Args:
        weights: a model with a SAM2 to compare with the trackers. None: trackers only.
        processes: number of single-threaded processes. None: one per core.
    """
    if weights:
        check_segmenter(weights)
    cases = annotators.draw_cases(clips, split, seed)
    began = time.perf_counter()
    results: Results = {
        "suite": "annotators",
        "split": split,
        "clips": clips,
        "seed": seed,
        "package_version": PACKAGE_VERSION,
    }
    console.print(f"{len(cases)} clips, {clips} of them of the core", highlight=False)
    tasks: list[Task] = [("annotate", (case,)) for case in cases]
    with Pool(partial(annotators.Annotators, weights), processes or default_processes()) as pool:
        done = track(pool.run(tasks), "annotating", len(cases), console=console)
        figures = annotators.figures(list(done))
    results |= {"seconds": round(time.perf_counter() - began)} | figures
    for table in annotators.tables(results):
        console.print(table.printable(), "")
    keep(results, json_file)
    return results


def check_segmenter(weights: str) -> None:
    """Check that a model has a SAM2.

    Raises:
        RunError: the model has none.
    """
    try:
        MiniatureTracker.load(weights)
    except WeightsError as error:
        raise RunError(str(error)) from error


def keep(results: Results, json_file: Path | None) -> None:
    """Write the results as JSON if a file is given."""
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(as_json(results), "utf-8")


def check(weights: str | None) -> tuple[str, str]:
    """Returns the weights (default: the embedded ones) and their revision.

    Raises:
        RunError: the weights are missing, or not those of a model of the small world.
    """
    weights = weights or EMBEDDED
    try:
        folder = weights_folder(weights)
    except WeightsError as error:
        raise RunError(str(error)) from error
    if not knows_small_world(folder):
        raise RunError(
            f"{weights} has no clip/ and other words than the embedded model: only the small "
            "world's models can be evaluated"
        )
    return weights, weights_revision(folder)


def _run(suite: Suite, output: Path | None) -> dict[str, list[dict[str, Any]]]:
    """Returns the measures of every clip by part of the suite, in the order of the cases."""
    processes = default_processes()
    minutes = suite.projected_seconds(processes) / 60
    console.print(f"{suite.clips} clips: about {max(minutes, 1):.0f} min", highlight=False)
    tasks = suite.tasks()
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with Pool(suite.examiner(), processes) as pool:
        for clips in track(pool.run(tasks), "evaluating", len(tasks), console=console):
            for clip in clips:
                part, _ = clip.name.split("/")
                rows[part].append({"clip": clip.name} | clip.row)
                if output:
                    _write(output, clip)
    if output:
        lines = (json.dumps(row) + "\n" for part in rows.values() for row in part)
        (output / "clips.jsonl").write_text("".join(lines), "utf-8")
    return rows


def _write(folder: Path, clip: Clip) -> None:
    path = folder / f"{clip.name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, frames=clip.frames, truth=clip.truth)
