"""The suite: tasks for the processes, and figures from their results."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from jobs.evaluation.figures import Figure, median, share
from jobs.evaluation.miniature.cases import (
    EditCase,
    draw_edits,
    draw_long_edits,
    draw_pairs,
    draw_scenes,
)
from jobs.evaluation.miniature.examiner import METHODS, Changes, MiniatureExaminer
from jobs.evaluation.pool import Task
from strmatch.miniature.splits import Attributes, Split

BATCH = 4  # clips generated together
FEW_STEPS = 2  # denoising steps from which the duration is projected
LONG: dict[str, Changes] = {"long": {"masked": True}}
"""How long clips are edited, by name."""
LONG_FRAMES = 32
CLIPS_PER_LONG = 8
"""Number of clips of the suite for which there is a long one."""


@dataclass(frozen=True)
class Suite:
    """The size of the suite, and the model to evaluate."""

    weights: str
    clips: int
    seed: int
    split: Split = "test"

    def tasks(self) -> list[Task]:
        """Returns all tasks, the longest first, so that processes finish together."""
        scenes = draw_scenes(self.clips, self.split, self.seed)
        edits = draw_edits(self.clips, self.split, self.seed + 1)
        tasks: list[Task] = [("edits", (case, i, LONG)) for i, case in enumerate(self.long_edits())]
        tasks += [("edits", (case, i, METHODS)) for i, case in enumerate(edits)]
        pairs = draw_pairs(self.clips, self.split, self.seed)
        tasks += [
            (part, (drawn[start : start + BATCH], start))
            for part, drawn in (("generation", scenes), ("generation_of_two", pairs))
            for start in range(0, len(drawn), BATCH)
        ]
        return tasks + [("round_trip", (scene, i)) for i, scene in enumerate(scenes)]

    def long_edits(self) -> list[EditCase]:
        """Returns edits of scenes whose sprites turn around, or leave and come back, in turn."""
        count = math.ceil(self.clips / CLIPS_PER_LONG)
        return draw_long_edits(count, self.split, self.seed + 2, (LONG_FRAMES,))

    def examiner(self) -> Callable[[], Any]:
        """What makes the examiner of a process."""
        return partial(MiniatureExaminer, self.weights)

    def projected_seconds(self, processes: int) -> float:
        """Projects the duration of the suite in seconds from one clip with two denoising steps."""
        torch.set_num_threads(1)  # as in the pool's processes
        examiner = MiniatureExaminer(self.weights, num_inference_steps=FEW_STEPS)
        steps = examiner.backbone.settings.num_inference_steps
        (case,) = draw_edits(1, self.split, self.seed)
        long = self.long_edits()
        began = time.perf_counter()
        examiner.edits(long[0], 0, LONG)
        for_long = time.perf_counter() - began
        examiner.edits(case, 0, METHODS)
        examiner.round_trip(case.source, 0)
        examiner.generation([case.source], 0)
        examiner.generation_of_two(draw_pairs(1, self.split, self.seed), 0)
        for_others = time.perf_counter() - began - for_long
        seconds = for_long * len(long) + for_others * self.clips
        return seconds * steps / FEW_STEPS / processes

    @staticmethod
    def figures(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """Returns the figures of all parts, see `figures`."""
        return figures(rows)


def figures(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Returns the figures of all parts. `rows` holds the measures by part or method."""
    generation = rows["generation"]
    of_two = rows["generation_of_two"]
    trips = rows["reconstruction"]
    return {
        "generation": {
            name: share([row["asked"][name] == row["seen"][name] for row in generation])
            for name in Attributes._fields
        },
        "generation_of_two": {
            name: share([all_right(row, name) for row in of_two]) for name in Attributes._fields
        },
        "vae_psnr": median([row["vae_psnr"] for row in trips]),
        "clip_top1": share([row["clip_top1"] for row in trips]),
        "reconstruction_psnr": median([row["psnr"] for row in trips]),
        "edits": {method: edit_figures(rows[method]) for method in (*METHODS, *LONG)},
    }


def all_right(row: dict[str, Any], name: str) -> bool:
    """Returns whether an attribute of every sprite of a generated clip is as asked."""
    pairs = zip(row["asked"], row["seen"], strict=True)
    return all(asked[name] == seen[name] for asked, seen in pairs)


def edit_figures(rows: list[dict[str, Any]]) -> dict[str, Figure]:
    """Returns the figures of one method."""
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
