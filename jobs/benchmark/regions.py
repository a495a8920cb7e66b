"""What a second region adds to an edit."""

import time
from collections.abc import Sequence

import numpy as np

from jobs.benchmark.measure import now
from jobs.benchmark.models import SOURCE, TARGETS, Model
from strmatch import Region, STRMatch
from strmatch.settings import EditSettings


def measure_regions(model: Model, settings: EditSettings, repeats: int) -> dict[str, float]:
    """Edit the halves of a clip by one prompt and by two, in turn, from one inversion.

    Args:
        model: backbone and clip.
        settings: settings of the edits.
        repeats: number of edits of each kind.

    Returns:
        The ratios of the medians, without the inversion: "seconds" by the clock, and
        "cpu_seconds".
    """
    editor = STRMatch(model.backbone, settings)
    inversion = editor.invert(model.frames, SOURCE)
    left = np.zeros(model.frames.shape[:3], bool)
    left[..., : model.frames.shape[2] // 2] = True
    one = [Region(left, TARGETS[0])]
    two = [*one, Region(~left, TARGETS[1])]

    def took(regions: Sequence[Region]) -> tuple[float, float]:
        began = now(), time.process_time()
        editor.edit(inversion, regions)
        return now() - began[0], time.process_time() - began[1]

    editor.edit(inversion, one)  # completes the cached scores of the source
    runs = np.array([(took(one), took(two)) for _ in range(repeats)])
    of_one, of_two = np.median(runs, axis=0)
    seconds, cpu_seconds = of_two / of_one
    return {"seconds": float(seconds), "cpu_seconds": float(cpu_seconds)}
