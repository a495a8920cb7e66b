"""EDIT: reads the plan and commits the edits, one file per clip, to edits/.

Further tries of edits outside the limits are committed in the same way, rung by rung.
"""

from typing import ClassVar

import pyarrow as pa
import ray.data

from pipelines.cluster import allocate, pool_options
from pipelines.editors.base import Editor, made_by
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.resilient_work import PhaseWork
from pipelines.rows import Row
from pipelines.stages.edit_clip import EditClip
from pipelines.stages.rungs import Rung
from pipelines.storage import Storage
from pipelines.tables.edits import commit_edits, pending_edits

QUEUED_FROM = 20
"""Clips per editor from which one clip is queued at every editor. With fewer clips, a queued clip
could have been processed by another editor."""


class EditWork(PhaseWork):
    """The edits of a rung that are not committed. An item is a clip with these edits, long clips
    first.

    Args:
        output: the run's folder.
        rung: the tries to make.
        editor: the editor's class.
        revision: revision of the editor's weights.
    """

    name = "edit"
    key: ClassVar[str] = "edits"
    max_items: ClassVar[int] = 4096  # reached only by very fast editors

    def __init__(self, output: Storage, rung: Rung, editor: type[Editor], revision: str) -> None:
        self.config = rung.config
        workers = allocate(self.config.execution, self.max_items).workers
        super().__init__(output, self.config.execution, workers)
        self.rung = rung
        self.editor = editor
        self.revision = revision

    def pending(self) -> pa.Table:
        return pending_edits(self.output, self.rung.plan, self.config, self.rung.folder)

    def build(self, items: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        part = allocate(self.execution, 1 if deadline.isolate else len(items))
        execution = self.execution.model_copy(update={"torch_threads": part.threads})
        config = self.config.model_copy(update={"execution": execution})
        made = (config, self.output, self.editor, self.revision, deadline, self.rung.folder)
        queued = not deadline.isolate and len(items) >= QUEUED_FROM * part.workers
        return (
            ray.data.from_arrow(items)
            .repartition(target_num_rows_per_block=rows)
            .flat_map(
                EditClip,
                fn_constructor_args=made,
                **pool_options(part, len(items), deadline.isolate, in_flight=2 if queued else 1),
            )
        )

    def commit_failure(self, item: Row, outcome: Row) -> Row:
        common = made_by(self.config, self.editor, self.revision) | outcome
        edits = [common | {"edit_id": edit_id} for edit_id in item["edit_ids"]]
        times = {"began": None, "ended": None, "windows": item["windows"]}
        return commit_edits(self.output, edits, self.rung.folder) | times
