"""The last job of ANNOTATE where `publish.size` is source: stores clips at the source's size."""

from typing import ClassVar

import pyarrow as pa
import ray.data

from pipelines.cluster import MAX_BLOCK_ROWS, cpus, rows_per_block, task_options
from pipelines.config.config import Config
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.resilient_work import PhaseWork
from pipelines.rows import Row
from pipelines.stages.full_size import StoreFullSize
from pipelines.storage import Storage
from pipelines.tables.full_size import commit_full, pending_full


class FullSizeWork(PhaseWork):
    """The clips that are ok and are not stored at the source's size. An item is a clip.

    Args:
        sources: table of `schema.SOURCES`.
        output: the run's folder. Files are committed to full/.
        config: the run's configuration.
    """

    name = "annotate full_size"
    key: ClassVar[str] = "full"
    max_items: ClassVar[int] = MAX_BLOCK_ROWS
    unit: ClassVar[None] = None
    """Each committed file is one item."""

    def __init__(self, sources: pa.Table, output: Storage, config: Config) -> None:
        super().__init__(output, config.execution, cpus())
        self.sources = sources
        self.config = config

    def first_block_size(self, items: int) -> int:
        return rows_per_block(items)

    def pending(self) -> pa.Table:
        return pending_full(self.output, self.sources)

    def build(self, items: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        options = self.execution.storage_options
        store = StoreFullSize(self.config.clip, self.output, options, deadline)
        blocks = ray.data.from_arrow(items).repartition(target_num_rows_per_block=rows)
        return blocks.map(store, **task_options(deadline.isolate))

    def commit_failure(self, item: Row, outcome: Row) -> Row:
        return commit_full(self.output, item["full"], {"clip_id": item["clip_id"], **outcome})
