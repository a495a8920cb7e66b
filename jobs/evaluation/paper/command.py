"""The job behind `strmatch evaluate --suite paper`: the paper's comparisons on rendered clips."""

import time
from collections import defaultdict
from typing import Any

import numpy as np
from rich.console import Console

from jobs.evaluation.figures import Figure, mean, median
from jobs.evaluation.models import is_joint, preset_of
from jobs.evaluation.paper import pages
from jobs.evaluation.paper.cases import CHANGED, draw_case
from jobs.evaluation.paper.choose import DEV_CLIPS, DEV_SEED, by_attempt, choose, grid
from jobs.evaluation.paper.examiner import METRICS, PaperExaminer
from jobs.evaluation.paper.methods import (
    MULTIPLES,
    NEEDS_UNET,
    Attempt,
    Methods,
    methods_of,
)
from jobs.evaluation.paper.phase import Part, done, examine, results
from jobs.evaluation.paper.statements import put_to_the_test
from jobs.evaluation.pool import default_processes
from jobs.evaluation.report import as_json
from pipelines.cluster import cluster
from pipelines.config.sections import Execution
from pipelines.errors import RunError
from pipelines.progress import progress
from pipelines.reliability.lease import Lease
from pipelines.rows import Row
from pipelines.storage import Storage
from pipelines.versions import PACKAGE_VERSION
from strmatch.miniature.splits import Split
from strmatch.sampling.windows import window_starts

FEW_STEPS = 2
"""Denoising steps of the edits from which the duration is projected."""
console = Console()


def compare(
    clips: int,
    seed: int,
    split: Split,
    weights: str,
    revision: str,
    output: str,
    steps: int | None = None,
) -> dict[str, Any]:
    """Run the suite, print its tables and write them to OUTPUT as JSON, Markdown and a page.

    A repeated call resumes from the results in OUTPUT.

    Args:
        clips: number of test clips. Strengths are chosen on other, fixed clips.
        seed: seed of the test clips.
        split: list of attribute combinations of the test clips.
        weights: folder or URI of the model.
        revision: revision of the weights.
        output: a folder or fsspec URI.
        steps: denoising steps of every edit. None: the preset's.

    Raises:
        RunError: a case failed.
    """
    began = time.perf_counter()
    # On a CPU, single-threaded workers are twice as fast as one with all threads.
    execution = Execution(editors=default_processes())
    preset, joint = preset_of(weights), is_joint(weights)
    methods = methods_of(preset, joint)
    storage = Storage(output)
    with Lease(storage), cluster(execution):
        dev = Part("dev", DEV_SEED, DEV_CLIPS, grid(methods), revision, steps)
        length = preset.num_frames
        windows = len(dev.attempts) * (dev.clips - done(dev, storage)) * _windows(dev.clips, length)
        windows += len(methods) * clips * _windows(clips, length)
        seconds = _seconds_a_window(weights, methods, steps or preset.edit.num_inference_steps)
        minutes = windows * seconds / 60 / default_processes()
        console.print(f"{clips} clips: about {max(1, minutes):.0f} min", highlight=False)
        tried = _examine("strengths", dev, weights, storage, execution)
        strengths = choose(tried, dev.attempts)
        test = Part(split, seed, clips, _chosen(strengths), revision, steps)
        tested = _examine("methods", test, weights, storage, execution)
    groups = by_attempt(tested)
    found: dict[str, Any] = {
        "suite": "paper",
        "split": split,
        "clips": clips,
        "seed": seed,
        "dev_clips": DEV_CLIPS,
        "package_version": PACKAGE_VERSION,
        "model_revision": revision,
        "seconds": round(time.perf_counter() - began),
        "strengths": strengths,
        "methods": {name: figures(groups[name]) for name in methods},
        "left_out": NEEDS_UNET if joint else {},
        "lambdas": {name: figures(groups[name]) for name in MULTIPLES},
        "kinds": {name: _by_kind(groups[name]) for name in methods},
        "statements": put_to_the_test(tested, tried),
    }
    plots = pages.plots(found, tried, methods)
    written = {f"{name}.svg": svg for name, svg in plots.items()}
    written["paper.json"] = as_json(found).encode()
    written["paper.md"] = pages.markdown(found).encode()
    written["index.html"] = pages.html(found, plots).encode()
    for name, data in written.items():
        storage.write(name, data)
    for table in pages.printable(found):
        console.print(table, "")
    console.print(f"page: {storage}/index.html", highlight=False)
    return found


def _examine(
    what: str, part: Part, weights: str, storage: Storage, execution: Execution
) -> list[Row]:
    left = part.clips - done(part, storage)
    for _ in progress(examine(part, weights, storage, execution), what, left):
        pass
    rows = results(part, storage)
    failed = [row for row in rows if row["status"] != "ok"]
    if failed:
        raise RunError(
            f"{what}: {len(failed)} of {part.clips} clips failed, first clip {failed[0]['index']}: "
            f"{failed[0]['error_type']}: {failed[0]['error_message']}"
        )
    return rows


def _chosen(strengths: dict[str, float]) -> list[Attempt]:
    """Returns every method at its strength, and `str_match` at multiples of its λ."""
    attempts = [Attempt(name, name, strength) for name, strength in strengths.items()]
    lam = strengths["str_match"]
    return attempts + [
        Attempt(name, "str_match", multiple * lam) for name, multiple in MULTIPLES.items()
    ]


def _windows(clips: int, num_frames: int) -> float:
    """Returns the mean number of windows of the first `clips` cases of a list.

    Args:
        num_frames: length of a window.
    """
    lengths = [draw_case(index, "dev", DEV_SEED).num_frames for index in range(clips)]
    return float(np.mean([len(window_starts(length, num_frames)) for length in lengths]))


def _seconds_a_window(weights: str, methods: Methods, steps: int) -> float:
    """Projects the mean seconds of an edit of one window in one thread from few steps."""
    examiner = PaperExaminer(weights, steps=FEW_STEPS)
    middle = [
        Attempt(name, name, method.grid[(len(method.grid) - 1) // 2])
        for name, method in methods.items()
    ]
    rows = examiner(draw_case(0, "dev", DEV_SEED), middle)
    return steps / FEW_STEPS * float(np.mean([row["seconds"] for row in rows]))


def figures(rows: list[Row]) -> dict[str, Figure]:
    """Returns every metric of a method over the clips with a value."""
    found = {}
    for metric in METRICS:
        values = [row[metric] for row in rows if not np.isnan(row[metric])]
        found[metric] = (median if metric == "centroid_px" else mean)(values)
    return found


def _by_kind(rows: list[Row]) -> dict[str, float]:
    kinds = defaultdict(list)
    for row in rows:
        kinds[row["kind"]].append(row["fidelity"])
    return {kind: float(np.mean(kinds[kind])) for kind in CHANGED if kind in kinds}
