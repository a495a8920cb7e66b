"""EDIT: the plan in; edits out, one file a clip, as files of edits/."""

from collections.abc import Iterator

import pyarrow as pa
import ray.data
from ray.data import ActorPoolStrategy

from pipelines.cluster import allocate
from pipelines.config.config import Config
from pipelines.editors.base import Editor, made_by
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.resilient_work import PhaseWork, run_to_completion
from pipelines.rows import Row
from pipelines.stages.edit_clip import EditClip
from pipelines.storage import Storage
from pipelines.tables.edits import commit_edits, pending

MANY_CLIPS = 20
"""An editor's, of which one more or less makes no difference."""
MOST_CLIPS = 4096
"""Of a block, where an editor takes next to no time."""


def edit(output: Storage, config: Config, editor: type[Editor], revision: str) -> Iterator[Row]:
    """Make the edits that are planned and not committed; yields one row a clip."""

    def chain(items: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        part = allocate(config.execution, 1 if deadline.isolate else len(items))
        execution = config.execution.model_copy(update={"torch_threads": part.threads})
        placed = config.model_copy(update={"execution": execution})
        # With a clip at hand no editor waits for the scheduler; with few clips it would rather be
        # another editor's.
        waiting = int(not deadline.isolate and len(items) >= MANY_CLIPS * part.workers)
        return (
            ray.data.from_arrow(items)
            .repartition(target_num_rows_per_block=rows)
            .flat_map(
                EditClip,
                fn_constructor_args=(placed, output, editor, revision, deadline),
                compute=ActorPoolStrategy(
                    size=part.workers, max_tasks_in_flight_per_actor=waiting + 1
                ),
                num_gpus=part.gpus,
                num_cpus=part.cpus,
                # An editor whose worker died is built again, but what it died with is not
                # repeated here: see `bounded`.
                max_restarts=-1 if len(items) > 1 and not deadline.isolate else 0,
                max_task_retries=0,
            )
        )

    def give_up(item: Row, outcome: Row) -> Row:
        common = made_by(config, editor, revision) | outcome
        edits = [common | {"edit_id": edit_id} for edit_id in item["edit_ids"]]
        return commit_edits(output, edits) | {"began": None, "ended": None}

    work = PhaseWork(
        phase="edit",
        key="clip_row",
        pending=lambda: pending(output),
        workers=allocate(config.execution, MOST_CLIPS).workers,
        first_rows=lambda clips: 1,
        most_rows=MOST_CLIPS,
        chain=chain,
        give_up=give_up,
    )
    yield from run_to_completion(work, output, config.execution)
