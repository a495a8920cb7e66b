"""The metrics of a clip's edits, computed from the stored bytes."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from pipelines import plugins, telemetry
from pipelines.causes import at
from pipelines.config.config import Config
from pipelines.english.change import EditedPrompt
from pipelines.errors import RunError
from pipelines.media.encode import decode_video
from pipelines.media.regions import Edits, Regions
from pipelines.reliability.deadline import Deadline
from pipelines.rows import Row, failure, outcome
from pipelines.stages.metrics.object_metrics import measured_objects, object_samples
from pipelines.stages.metrics.windowed_metrics import MetricFailed, measured
from pipelines.storage import Storage
from pipelines.tables.clips import read_clip
from pipelines.tables.edits import read_ok_edits
from pipelines.tables.measures import commit_measures
from strmatch.metrics.base import Metric, Sample, Where


class MeasureClip:
    """Computes the metrics of a clip's edits, and commits them as one file.

    Reads an item: clip_file, clip_row, source_prompt, num_frames, edit_file, measures, and the
    lists edit_ids, target_prompts, target_wheres and edit_lists. Writes a row of `schema.MEASURES`
    for every edit that is ok. An exception of a metric fails its edit; `error_type` is its class.
    After `NotMeasured`, the metric has no value, and the reason is recorded. A clip that cannot be
    read fails all its edits.

    Args:
        config: the run's configuration.
        output: where clips and edits are read and measures are written.
        deadline: bounds the duration of a clip with all its edits.
        threads: CPU threads of the metrics, in a worker of a pool.
    """

    def __init__(
        self, config: Config, output: Storage, deadline: Deadline, threads: int | None = None
    ) -> None:
        if threads:
            os.environ["OMP_NUM_THREADS"] = str(threads)  # before torch is imported
        self.config = config
        self.output = output
        self.deadline = deadline

    def __call__(self, work: Row) -> Row:
        """Returns the counts of the clip's edits, or `problem`, which stops the phase."""
        try:
            metrics = plugins.metrics(self.config)
        except RunError as error:  # independent of the edits
            return outcome([]) | {"problem": str(error)}
        length = self.config.clip.num_frames
        windows = max(1.0, (work["num_frames"] or length) / length)
        deadline = self.deadline("measure", work["measures"], windows)
        with at("measurement", work["clip_row"]), deadline:
            return commit_measures(self.output, work["measures"], self._measure_all(work, metrics))

    def _measure_all(self, work: Row, metrics: Mapping[str, Metric]) -> list[Row]:
        edits = read_ok_edits(self.output, work["edit_file"], work["edit_ids"])
        if not edits:
            return []
        names = ("edit_ids", "target_prompts", "target_wheres", "edit_lists")
        targets = {
            edit_id: Target(prompt, where, json.loads(edits or "[]"))
            for edit_id, prompt, where, edits in zip(*(work[name] for name in names), strict=True)
        }
        read = partial(read_clip, self.output, work["clip_file"], work["clip_row"])
        return measure_edits(
            work["source_prompt"], targets, edits, read, metrics, self.config.clip.num_frames
        )


class Target(NamedTuple):
    """What an edit was to show."""

    prompt: str
    where: Where
    edits: Edits = ()
    """Those of several objects. Empty: one edit."""


def measure_edits(
    source_prompt: str,
    targets: Mapping[str, Target],
    edits: Sequence[Row],
    read: Callable[[], Row],
    metrics: Mapping[str, Metric],
    length: int,
) -> list[Row]:
    """Returns the measures of edits of one clip, rows of `schema.MEASURES`.

    Args:
        source_prompt: what the clip shows.
        targets: of each edit, by edit_id.
        edits: edit_id and edited_video.
        read: returns the clip with source_video, mask, objects and fps. An exception fails all
            edits.
        metrics: by name.
        length: number of frames of a window.
    """
    try:
        clip = read()
        source = decode_video(clip["source_video"])
        regions = Regions(clip)
        wholes = {name: regions.of_edit(each.where, each.edits) for name, each in targets.items()}
        parts = {name: regions.of_each(each.edits) for name, each in targets.items()}
    except Exception as error:
        failed = failure("measure", error)
        return [{"edit_id": edit["edit_id"], **failed} for edit in edits]
    rows = []
    for edit in edits:
        name, target = edit["edit_id"], targets[edit["edit_id"]]
        shown = (source_prompt, target.prompt, target.where, clip["fps"])
        unedited = Sample(source, source, wholes[name], *shown)
        measure = partial(_measured, target.edits, parts[name], metrics, length)
        rows.append(_measure(edit, unedited, measure))
    return rows


def _measured(
    edits: Edits,
    regions: Sequence[np.ndarray],
    metrics: Mapping[str, Metric],
    length: int,
    sample: Sample,
) -> Row:
    """Returns the metrics of an edit, those of several objects by object."""
    if not edits:
        return measured(metrics, sample, length)
    prompts = EditedPrompt(sample.source_prompt, sample.target_prompt, edits=edits)
    return measured_objects(metrics, sample, object_samples(sample, regions, prompts), length)


def _measure(edit: Row, unedited: Sample, measure: Callable[[Sample], Row]) -> Row:
    """Returns a row of `schema.MEASURES`."""
    started = time.perf_counter()
    try:
        sample = unedited._replace(edited=decode_video(edit["edited_video"]))
        result = {"status": "ok", **measure(sample)}
    except MetricFailed as error:
        assert isinstance(error.__cause__, Exception)
        result = failure("measure", error.__cause__)
        result["error_message"] = f"{error.metric}: {result['error_message']}"
    except Exception as error:
        result = failure("measure", error)
    seconds = time.perf_counter() - started
    telemetry.record_seconds("measure", seconds)
    return {"edit_id": edit["edit_id"], "measure_seconds": seconds, **result}
