"""MEASURE: reads the edits and commits their metrics, one file per clip, to measures/.

The name of a file identifies the edits and the metrics. Other metrics are committed beside the
existing ones, and the measures of edits that were replaced are never read.
"""

from typing import ClassVar

import pyarrow as pa
import ray.data

from pipelines.cluster import cpus, rows_per_block, task_options
from pipelines.config.config import Config
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.resilient_work import PhaseWork
from pipelines.rows import Row
from pipelines.stages.measure_clip import MeasureClip
from pipelines.storage import Storage
from pipelines.tables.edits import read_ok_edits
from pipelines.tables.measures import commit_measures, pending_measures


class MeasureWork(PhaseWork):
    """The committed edits that are not measured. An item is a file of edits.

    Args:
        output: the run's folder.
        config: the run's configuration.
        sources: the sources whose edits are measured.
    """

    name = "measure"
    key: ClassVar[str] = "measures"
    max_items: ClassVar[int] = 64

    def __init__(self, output: Storage, config: Config, sources: pa.Table) -> None:
        super().__init__(output, config.execution, cpus())
        self.config = config
        self.sources = sources

    def first_block_size(self, items: int) -> int:
        return rows_per_block(items)

    def pending(self) -> pa.Table:
        return pending_measures(self.output, self.config, self.sources)

    def build(self, items: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        measure = MeasureClip(self.config, self.output, deadline)
        return (
            ray.data.from_arrow(items)
            .repartition(target_num_rows_per_block=rows)
            .map(measure, **task_options(deadline.isolate))
        )

    def commit_failure(self, item: Row, outcome: Row) -> Row:
        edits = read_ok_edits(self.output, item["edit_file"], item["edit_ids"], ["edit_id"])
        return commit_measures(self.output, item["measures"], [edit | outcome for edit in edits])
