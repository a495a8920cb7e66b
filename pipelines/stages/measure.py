"""What is measured of a clip's edits, from the very bytes that are stored."""

import math
import time
from collections.abc import Mapping, Sequence

from pipelines import masks, plugins, telemetry
from pipelines.config import Config
from pipelines.errors import RunError
from pipelines.ids import content_id
from pipelines.schema import MEASURES, rows_table
from pipelines.stages.base import Row, failure, outcome
from pipelines.stages.edit import read_clip
from pipelines.storage import Storage
from pipelines.video import decode_video
from pipelines.watch import Watch
from strmatch.metrics.base import Metric, Sample

OF_AN_EDIT = ("edit_id", "edited_video")


class MeasureClip:
    """Computes the metrics of a clip's edits, and commits them as one file.

    Reads a work item: clip_file, clip_row, source_prompt, edit_file, edit_ids, target_prompts,
    measures. Writes a row of `schema.MEASURES` for every one of the edits that is ok. An exception
    of a metric fails that edit; the reason is the exception's class. What cannot be read of the
    clip fails all its edits.

    Args:
        config: the run's.
        output: where clips and edits are read and measures written.
        watch: its deadline holds for a clip with all its edits.
    """

    def __init__(self, config: Config, output: Storage, watch: Watch) -> None:
        self.config = config
        self.output = output
        self.watch = watch

    def __call__(self, work: Row) -> Row:
        """What became of the clip's edits; or the problem that stops the phase."""
        try:
            metrics = plugins.metrics(self.config)
        except RunError as error:  # no edit's fault
            return outcome([]) | {"problem": str(error)}
        with self.watch("measure", work["measures"]):
            return commit_measures(self.output, work["measures"], self._measure_all(work, metrics))

    def _measure_all(self, work: Row, metrics: Mapping[str, Metric]) -> list[Row]:
        edits = read_ok_edits(self.output, work["edit_file"], work["edit_ids"])
        if not edits:
            return []
        try:
            clip = read_clip(self.output, work["clip_file"], work["clip_row"])
            source = decode_video(clip["source_video"])
            mask = None if clip["mask"] is None else masks.decode(clip["mask"])
        except Exception as error:
            failed = failure("measure", error)
            return [{"edit_id": edit["edit_id"], **failed} for edit in edits]
        targets = dict(zip(work["edit_ids"], work["target_prompts"], strict=True))
        unedited = Sample(source, source, mask, work["source_prompt"], "")
        return [
            _measure(edit, unedited._replace(target_prompt=targets[edit["edit_id"]]), metrics)
            for edit in edits
        ]


def _measure(edit: Row, unedited: Sample, metrics: Mapping[str, Metric]) -> Row:
    """A row of `schema.MEASURES`."""
    started, name = time.perf_counter(), ""
    try:
        sample = unedited._replace(edited=decode_video(edit["edited_video"]))
        values = {}
        for name, metric in metrics.items():
            value = float(metric(sample))
            values[name] = None if math.isnan(value) else value
        result: Row = {"status": "ok", "metrics": list(values.items())}
    except Exception as error:
        result = failure("measure", error)
        if name:
            result["error_message"] = f"{name}: {result['error_message']}"
    seconds = time.perf_counter() - started
    telemetry.took("measure", seconds)
    return {"edit_id": edit["edit_id"], "measure_seconds": seconds, **result}


def read_ok_edits(
    output: Storage, file: str, edit_ids: Sequence[str], columns: Sequence[str] = OF_AN_EDIT
) -> list[Row]:
    """Those of the edits in a file that are ok."""
    chosen = [("status", "=", "ok"), ("edit_id", "in", edit_ids)]
    return output.read_table(file, list(columns), chosen).to_pylist()


def commit_measures(output: Storage, name: str, measures: list[Row]) -> Row:
    """Write what is measured under a name; returns what became of the edits."""
    problem = output.commit_table(measures_file(name), rows_table(measures, MEASURES))
    return outcome(measures, "edit_id") | {"problem": problem}


def measures_name(edit_file: str, size: int, edit_ids: Sequence[str], how: str) -> str:
    """Names what is measured of edits.

    Args:
        edit_file: the file that holds them.
        size: its bytes; others where the edits were made again.
        edit_ids: the edits.
        how: fingerprint of what is measured.
    """
    return content_id(file=edit_file, size=size, edits=sorted(edit_ids), how=how)


def measures_file(name: str) -> str:
    """The file of these measures, below the output."""
    return f"measures/{name}.parquet"
