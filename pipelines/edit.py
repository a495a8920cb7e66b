"""EDIT: the plan in; edits out, one file a clip, as files of edits/."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import ray.data
from ray.data import ActorPoolStrategy

from pipelines.bounded import Work, carry_out
from pipelines.cluster import share
from pipelines.config import Config
from pipelines.plan import OF_A_CLIP, by_clip, read_plan
from pipelines.schema import rows_table, unique
from pipelines.stages.base import Row
from pipelines.stages.edit import EditClip, Editor, commit_edits, edits_file, made_by
from pipelines.storage import Storage
from pipelines.watch import Watch

OF_AN_ITEM = ("edit_id", "target_prompt", "seed")
"""What an editor is told of an edit."""
EDIT_FILES = pa.schema(
    [
        ("edit_id", pa.string()),
        ("file", pa.string()),
        ("size", pa.int64()),
        ("bytes", pa.float64()),
    ]
)
"""Which file below the output holds an edit, its size, and the edit's share of its bytes."""
CLIPS_AT_ONCE = 10_000
MANY_CLIPS = 20
"""An editor's, of which one more or less makes no difference."""
MOST_CLIPS = 4096
"""Of a block, where an editor takes next to no time."""


def edit(output: Storage, config: Config, editor: type[Editor], revision: str) -> Iterator[Row]:
    """Make the edits that are planned and not committed; yields one row a clip."""

    def chain(items: pa.Table, rows: int, watch: Watch) -> ray.data.Dataset:
        part = share(config.execution, 1 if watch.marks else len(items))
        execution = config.execution.model_copy(update={"torch_threads": part.threads})
        placed = config.model_copy(update={"execution": execution})
        # With a clip at hand no editor waits for the scheduler; with few clips it would rather be
        # another editor's.
        waiting = int(not watch.marks and len(items) >= MANY_CLIPS * part.workers)
        return (
            ray.data.from_arrow(items)
            .repartition(target_num_rows_per_block=rows)
            .flat_map(
                EditClip,
                fn_constructor_args=(placed, output, editor, revision, watch),
                compute=ActorPoolStrategy(
                    size=part.workers, max_tasks_in_flight_per_actor=waiting + 1
                ),
                num_gpus=part.gpus,
                num_cpus=part.cpus,
                # An editor whose worker died is built again, but what it died with is not
                # repeated here: see `bounded`.
                max_restarts=-1 if len(items) > 1 and not watch.marks else 0,
                max_task_retries=0,
            )
        )

    def give_up(item: Row, outcome: Row) -> Row:
        common = made_by(config, editor, revision) | outcome
        edits = [common | {"edit_id": edit_id} for edit_id in item["edit_ids"]]
        return commit_edits(output, edits) | {"began": None, "ended": None}

    work = Work(
        phase="edit",
        key="clip_row",
        pending=lambda: pending(output),
        workers=share(config.execution, MOST_CLIPS).workers,
        first_rows=lambda clips: 1,
        most_rows=MOST_CLIPS,
        chain=chain,
        give_up=give_up,
    )
    yield from carry_out(work, output, config.execution)


def pending(output: Storage) -> pa.Table:
    """Work items, one a clip: the planned edits that edits/ does not hold."""
    plan = read_plan(output, [*OF_A_CLIP, *OF_AN_ITEM])
    done = committed(output, plan)
    left = plan.filter(pc.invert(pc.is_in(plan["edit_id"], done["edit_id"])))
    return by_clip(left, OF_AN_ITEM)


def committed(output: Storage, plan: pa.Table) -> pa.Table:
    """Every committed edit once, as a table of `EDIT_FILES`."""
    sizes = output.sizes("edits", ".parquet")
    tables = [EDIT_FILES.empty_table()]
    # Most files hold all edits of a clip, and their names say so: a hundred thousand are not read.
    for clips in by_clip(plan, ["edit_id"]).to_batches(CLIPS_AT_ONCE):
        named = ((edits_file(ids), ids) for ids in clips["edit_ids"].to_pylist())
        found = (_held(name, ids, sizes.pop(name)) for name, ids in named if name in sizes)
        tables.append(rows_table([row for rows in found for row in rows], EDIT_FILES))
    for name, size in sizes.items():
        ids = output.read_table(name, ["edit_id"])["edit_id"].to_pylist()
        tables.append(rows_table(_held(name, ids, size), EDIT_FILES))
    return unique(pa.concat_tables(tables), "edit_id")


def _held(name: str, edit_ids: list[str], size: int) -> list[Row]:
    """The edits of a file as rows of `EDIT_FILES`."""
    each = size / len(edit_ids)
    held = {"file": name, "size": size, "bytes": each}
    return [{"edit_id": edit_id} | held for edit_id in edit_ids]
