"""The suite of long clips: tasks for the processes, and figures from their results."""

import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch

from jobs.evaluation.figures import Figure, mean
from jobs.evaluation.miniature.cases import EditCase, draw_long_edits
from jobs.evaluation.miniature.long_examiner import METHODS, LongExaminer
from jobs.evaluation.miniature.suite import FEW_STEPS, Suite, edit_figures
from jobs.evaluation.models import preset_of
from jobs.evaluation.pool import Task

LENGTHS = (48, 80)
"""Numbers of frames of the clips, in turn."""
COMPARED = ("counterfactual_psnr", "centroid_px", "seam", "drift")
"""Measures of which the suite has the mean difference of the two methods on the same clips."""


class LongSuite(Suite):
    """The suite of long clips."""

    def cases(self) -> list[EditCase]:
        """Returns edits of colour, shape or both, of scenes with one sprite that stays visible."""
        return draw_long_edits(self.clips, self.split, self.seed, LENGTHS, ("stays",))

    def tasks(self) -> list[Task]:
        """Returns all tasks, the longest first, so that processes finish together."""
        longest_first = sorted(enumerate(self.cases()), key=lambda case: -case[1].num_frames)
        return [
            ("edit", (method, case, index)) for index, case in longest_first for method in METHODS
        ]

    def examiner(self) -> Callable[[], Any]:
        """What makes the examiner of a process."""
        return partial(LongExaminer, self.weights)

    def projected_seconds(self, processes: int) -> float:
        """Projects the duration of the suite in seconds from one clip with two denoising steps."""
        torch.set_num_threads(1)  # as in the pool's processes
        examiner = LongExaminer(self.weights, num_inference_steps=FEW_STEPS)
        steps = preset_of(self.weights).edit.num_inference_steps
        case = self.cases()[0]
        began = time.perf_counter()
        for method in METHODS:
            examiner.edit(method, case, 0)
        seconds = (time.perf_counter() - began) * steps / FEW_STEPS
        frames = sum(LENGTHS) / len(LENGTHS)
        return seconds * frames / case.num_frames * self.clips / processes

    @staticmethod
    def figures(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """Returns the figures by method, and the differences of fused and independent windows."""
        pairs = list(zip(rows["fused"], rows["independent"], strict=True))
        differences = {
            f"difference_{name}": mean(_finite(ours[name] - theirs[name] for ours, theirs in pairs))
            for name in COMPARED
        }
        return differences | {"edits": {method: long_figures(rows[method]) for method in METHODS}}


def long_figures(rows: list[dict[str, Any]]) -> dict[str, Figure]:
    """Figures of one method: `edit_figures`, and the means of measures over time."""
    times = ("seam", "seam_of_truth", "drift", "drift_of_window")
    known = {name: mean(_finite(row[name] for row in rows)) for name in times}
    return edit_figures(rows) | known


def _finite(values: Iterable[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]
