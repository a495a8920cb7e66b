"""The suite: cases to processes, outcomes to figures."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch

from jobs.evaluation.cases import draw_edits, draw_scenes
from jobs.evaluation.figures import Figure, median, share
from jobs.evaluation.work import METHODS, Examiner
from strmatch.miniature.splits import Split

BATCH = 4  # clips generated together
Task = tuple[str, tuple[Any, ...]]
"""A method of what a process holds, and its arguments."""


@dataclass(frozen=True)
class Suite:
    """How much is asked of which weights."""

    weights: str
    clips: int
    seed: int
    split: Split = "test"

    def tasks(self) -> list[Task]:
        """Every piece of work; the dearest first, so that no process is late with one."""
        scenes = draw_scenes(self.clips, self.split, self.seed)
        edits = draw_edits(self.clips, self.split, self.seed + 1)
        tasks: list[Task] = [("edits", (case, i, METHODS)) for i, case in enumerate(edits)]
        tasks += [
            ("generation", (scenes[start : start + BATCH], start))
            for start in range(0, len(scenes), BATCH)
        ]
        return tasks + [("round_trip", (scene, i)) for i, scene in enumerate(scenes)]


def default_processes() -> int:
    """One on a GPU, else one a core."""
    return 1 if torch.cuda.is_available() else os.cpu_count() or 1


class Pool:
    """Processes that each hold what `make` makes, such as an `Examiner`. A context manager.

    They are single-threaded, so that outcomes do not depend on how many there are.
    """

    def __init__(self, make: Callable[[], Any], processes: int) -> None:
        self.executor = ProcessPoolExecutor(
            processes,
            multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(make,),
        )

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.shutdown(cancel_futures=True)

    def run(self, tasks: list[Task]) -> Iterator[Any]:
        """What each task gives, in their order."""
        for future in [self.executor.submit(_call, *task) for task in tasks]:
            yield future.result()


_made: Any  # of a process of the pool


def _start(make: Callable[[], Any]) -> None:
    global _made
    torch.set_num_threads(1)
    _made = make()


def _call(name: str, arguments: tuple[Any, ...]) -> Any:
    return getattr(_made, name)(*arguments)


def projected_seconds(suite: Suite, processes: int) -> float:
    """How long the suite will take, from one clip's work with two steps of the preset's many."""
    few = 2
    torch.set_num_threads(1)  # as in the processes that will do the work
    examiner = Examiner(suite.weights, num_inference_steps=few)
    steps = examiner.backbone.settings.num_inference_steps
    (case,) = draw_edits(1, suite.split, suite.seed)
    began = time.perf_counter()
    examiner.edits(case, 0, METHODS)
    examiner.round_trip(case.source, 0)
    examiner.generation([case.source], 0)
    return (time.perf_counter() - began) * steps / few * suite.clips / processes


def figures(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The table of all parts; `rows` holds the outcomes by part or method."""
    generation = rows["generation"]
    trips = rows["reconstruction"]
    return {
        "generation": {
            name: share([row["asked"][name] == row["seen"][name] for row in generation])
            for name in ("colour", "shape", "motion", "background")
        },
        "vae_psnr": median([row["vae_psnr"] for row in trips]),
        "clip_top1": share([row["clip_top1"] for row in trips]),
        "reconstruction_psnr": median([row["psnr"] for row in trips]),
        "edits": {method: edit_figures(rows[method]) for method in METHODS},
    }


def edit_figures(rows: list[dict[str, Any]]) -> dict[str, Figure]:
    """One method's line of the table."""
    asked = {
        name: [row[name] for row in rows if row[name] is not None]
        for name in ("asked_colour", "asked_shape")
    }
    return {
        "subject_colour": share(asked["asked_colour"]),
        "subject_shape": share(asked["asked_shape"]),
        "kept_attribute": share([kept for row in rows for kept in row["kept"]]),
        **{
            name: median([row[name] for row in rows])
            for name in (
                "centroid_px",
                "background_psnr",
                "counterfactual_iou",
                "counterfactual_psnr",
            )
        },
    }
