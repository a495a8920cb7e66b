"""The metrics of a clip's edits, computed from the stored bytes."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pipelines import plugins, telemetry
from pipelines.causes import at
from pipelines.config.config import Config
from pipelines.errors import RunError
from pipelines.media import masks
from pipelines.media.encode import decode_video
from pipelines.reliability.deadline import Deadline
from pipelines.rows import Row, failure, outcome
from pipelines.stages.windowed_metrics import MetricFailed, measured
from pipelines.storage import Storage
from pipelines.tables.clips import read_clip
from pipelines.tables.edits import read_ok_edits
from pipelines.tables.measures import commit_measures
from strmatch.metrics.base import Metric, Sample, Where


class MeasureClip:
    """Computes the metrics of a clip's edits, and commits them as one file.

    Reads an item: clip_file, clip_row, source_prompt, num_frames, edit_file, measures, and the
    lists edit_ids, target_prompts and target_wheres. Writes a row of `schema.MEASURES` for every
    edit that is ok. An exception of a metric fails its edit; `error_type` is the exception's class.
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
        lists = zip(work["edit_ids"], work["target_prompts"], work["target_wheres"], strict=True)
        targets = {edit_id: (prompt, where) for edit_id, prompt, where in lists}
        read = partial(read_clip, self.output, work["clip_file"], work["clip_row"])
        return measure_edits(
            work["source_prompt"], targets, edits, read, metrics, self.config.clip.num_frames
        )


def measure_edits(
    source_prompt: str,
    targets: Mapping[str, tuple[str, Where]],
    edits: Sequence[Row],
    read: Callable[[], Row],
    metrics: Mapping[str, Metric],
    length: int,
) -> list[Row]:
    """Returns the measures of edits of one clip, rows of `schema.MEASURES`.

    Args:
        source_prompt: what the clip shows.
        targets: prompt and place of each edit, by edit_id.
        edits: edit_id and edited_video.
        read: returns the clip with source_video, mask and fps. An exception fails all edits.
        metrics: by name.
        length: number of frames of a window.
    """
    try:
        clip = read()
        source = decode_video(clip["source_video"])
        mask = None if clip["mask"] is None else masks.decode(clip["mask"])
    except Exception as error:
        failed = failure("measure", error)
        return [{"edit_id": edit["edit_id"], **failed} for edit in edits]
    regions = {where: masks.region(mask, where) for _, where in targets.values()}
    unedited = {
        edit_id: Sample(source, source, regions[where], source_prompt, prompt, where, clip["fps"])
        for edit_id, (prompt, where) in targets.items()
    }
    return [_measure(edit, unedited[edit["edit_id"]], metrics, length) for edit in edits]


def _measure(edit: Row, unedited: Sample, metrics: Mapping[str, Metric], length: int) -> Row:
    """Returns a row of `schema.MEASURES`."""
    started = time.perf_counter()
    try:
        sample = unedited._replace(edited=decode_video(edit["edited_video"]))
        result = {"status": "ok", **measured(metrics, sample, length)}
    except MetricFailed as error:
        assert isinstance(error.__cause__, Exception)
        result = failure("measure", error.__cause__)
        result["error_message"] = f"{error.metric}: {result['error_message']}"
    except Exception as error:
        result = failure("measure", error)
    seconds = time.perf_counter() - started
    telemetry.record_seconds("measure", seconds)
    return {"edit_id": edit["edit_id"], "measure_seconds": seconds, **result}
