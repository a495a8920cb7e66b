"""The suite of several objects: tasks for the processes, and figures from their results."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from jobs.evaluation.figures import Figure, mean, median, share
from jobs.evaluation.miniature.suite import FEW_STEPS, Suite
from jobs.evaluation.models import preset_of
from jobs.evaluation.objects.cases import draw_object_edits
from jobs.evaluation.objects.examiner import METHODS, ObjectsExaminer
from jobs.evaluation.pool import Task


class ObjectsSuite(Suite):
    """The suite of clips with several objects."""

    def tasks(self) -> list[Task]:
        """Returns all tasks. Every method inverts its clips itself, which its seconds include."""
        drawn = {
            method: draw_object_edits(
                self.clips, self.split, self.seed, 3 if method == "three" else 2
            )
            for method in METHODS
        }
        return [
            ("edit", (method, drawn[method][index], index))
            for index in range(self.clips)
            for method in METHODS
        ]

    def examiner(self) -> Callable[[], Any]:
        """What makes the examiner of a process."""
        return partial(ObjectsExaminer, self.weights)

    def projected_seconds(self, processes: int) -> float:
        """Projects the duration of the suite in seconds from one clip with two denoising steps."""
        torch.set_num_threads(1)  # as in the pool's processes
        examiner = ObjectsExaminer(self.weights, num_inference_steps=FEW_STEPS)
        tasks = replace(self, clips=1).tasks()
        began = time.perf_counter()
        for name, arguments in tasks:
            getattr(examiner, name)(*arguments)
        ratio = preset_of(self.weights).edit.num_inference_steps / FEW_STEPS
        return (time.perf_counter() - began) * ratio * self.clips / processes

    @staticmethod
    def figures(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """Returns the figures by method."""
        return {"edits": {method: object_figures(rows[method]) for method in METHODS}}


def object_figures(rows: list[dict[str, Any]]) -> dict[str, Figure]:
    """Figures of one method: shares of objects (`all_right`: of clips), medians, mean seconds."""

    def every(name: str) -> list[Any]:
        return [value for row in rows for value in row[name]]

    return {
        "subject_colour": share(every("asked_colour")),
        "subject_shape": share(every("asked_shape")),
        "all_right": share([row["right"] for row in rows]),
        "centroid_px": median(every("centroid_px")),
        "untouched": share(every("untouched")),
        "untouched_psnr": median(every("untouched_psnr")),
        "background_psnr": median([row["background_psnr"] for row in rows]),
        "counterfactual_psnr": median([row["counterfactual_psnr"] for row in rows]),
        "seconds": mean([row["seconds"] for row in rows]),
    }
