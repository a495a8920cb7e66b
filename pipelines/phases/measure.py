"""MEASURE: edits in; their metrics out, one file a clip, as files of measures/.

A file's name says what was measured and how. Other metrics are measured beside those that are
there, and what was measured of edits that were made again is never read.
"""

from collections.abc import Iterator

import pyarrow as pa
import ray.data

from pipelines.cluster import cpus, rows_per_block
from pipelines.config.config import Config
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.resilient_work import PhaseWork, run_to_completion
from pipelines.rows import Row
from pipelines.stages.measure_clip import MeasureClip
from pipelines.storage import Storage
from pipelines.tables.edits import read_ok_edits
from pipelines.tables.measures import commit_measures, pending

MOST_CLIPS = 64
"""Of a block."""


def measure(output: Storage, config: Config) -> Iterator[Row]:
    """Measure the edits that are committed and not measured; yields one row a clip."""

    def chain(items: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        # A task whose worker died is not repeated by Ray: see `bounded`.
        alone = {"concurrency": 1} if deadline.isolate else {}
        return (
            ray.data.from_arrow(items)
            .repartition(target_num_rows_per_block=rows)
            .map(MeasureClip(config, output, deadline), num_cpus=1, max_retries=0, **alone)
        )

    def give_up(item: Row, outcome: Row) -> Row:
        edits = read_ok_edits(output, item["edit_file"], item["edit_ids"], ["edit_id"])
        return commit_measures(output, item["measures"], [edit | outcome for edit in edits])

    work = PhaseWork(
        phase="measure",
        key="measures",
        pending=lambda: pending(output, config),
        workers=cpus(),
        first_rows=rows_per_block,
        most_rows=MOST_CLIPS,
        chain=chain,
        give_up=give_up,
    )
    yield from run_to_completion(work, output, config.execution)
