"""MEASURE: reads the edits and commits their metrics, one file per clip, to measures/.

The name of a file identifies the edits and the metrics. Other metrics are committed beside the
existing ones, and the measures of edits that were replaced are never read.

If no metric requires a GPU, tasks compute the metrics. Otherwise a pool of workers computes all
metrics and keeps the models loaded.
"""

from typing import ClassVar

import pyarrow as pa
import ray.data

from pipelines import plugins
from pipelines.cluster import allocate, cpus, pool_options, rows_per_block, task_options
from pipelines.config.config import Config
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.resilient_work import PhaseWork
from pipelines.rows import Row
from pipelines.stages.measure_clip import MeasureClip
from pipelines.stages.rungs import Rung
from pipelines.storage import Storage
from pipelines.tables.edits import read_ok_edits
from pipelines.tables.measures import commit_measures, pending_measures


class MeasureWork(PhaseWork):
    """The committed edits of a rung that are not measured. An item is a file of edits.

    Args:
        output: the run's folder.
        config: the run's configuration.
        rung: the tries to measure.
    """

    name = "measure"
    key: ClassVar[str] = "measures"
    max_items: ClassVar[int] = 64

    def __init__(self, output: Storage, config: Config, rung: Rung) -> None:
        self.on_gpu = plugins.metrics_on_gpu(config)
        workers = (
            allocate(config.execution, self.max_items, "metric").workers if self.on_gpu else cpus()
        )
        super().__init__(output, config.execution, workers)
        self.config = config
        self.rung = rung

    def first_block_size(self, items: int) -> int:
        return 1 if self.on_gpu else rows_per_block(items)

    def pending(self) -> pa.Table:
        edits = self.rung.committed(self.output)
        return pending_measures(self.output, self.config, self.rung.plan, edits)

    def build(self, items: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        isolate = deadline.isolate
        blocks = ray.data.from_arrow(items).repartition(target_num_rows_per_block=rows)
        made = (self.config, self.output, deadline)
        if not self.on_gpu:
            return blocks.map(MeasureClip(*made), **task_options(isolate))
        part = allocate(self.execution, 1 if isolate else len(items), "metric")
        return blocks.map(
            MeasureClip,
            fn_constructor_args=(*made, part.threads),
            **pool_options(part, len(items), isolate, in_flight=1 if isolate else 2),
        )

    def commit_failure(self, item: Row, outcome: Row) -> Row:
        edits = read_ok_edits(self.output, item["edit_file"], item["edit_ids"], ["edit_id"])
        return commit_measures(self.output, item["measures"], [edit | outcome for edit in edits])
