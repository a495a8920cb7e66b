"""EDIT: the plan in; edits out, one file a clip, as files of edits/."""

from collections.abc import Iterator

import pyarrow as pa
import ray.data
from ray.data import ActorPoolStrategy

from pipelines.bounded import Work, carry_out
from pipelines.cluster import share
from pipelines.config import Config
from pipelines.plan import by_clip, read_plan
from pipelines.stages.base import Row
from pipelines.stages.edit import EditClip, Editor, commit_edits, made_by
from pipelines.storage import Storage
from pipelines.watch import Watch


def edit(output: Storage, config: Config, editor: type[Editor], revision: str) -> Iterator[Row]:
    """Make the edits that are planned and not committed; yields one row a clip."""

    def chain(items: pa.Table, rows: int, watch: Watch) -> ray.data.Dataset:
        part = share(config.execution, len(items))
        execution = config.execution.model_copy(update={"torch_threads": part.threads})
        placed = config.model_copy(update={"execution": execution})
        return (
            ray.data.from_arrow(items)
            .repartition(target_num_rows_per_block=rows)
            .map(
                EditClip,
                fn_constructor_args=(placed, output, editor, revision, watch),
                compute=ActorPoolStrategy(size=part.editors, max_tasks_in_flight_per_actor=1),
                num_gpus=part.gpus,
                num_cpus=part.cpus,
                # An editor that died is built again, but what it died with is not repeated here:
                # see `bounded`.
                max_restarts=-1 if len(items) > 1 else 0,
                max_task_retries=0,
            )
        )

    def give_up(item: Row, outcome: Row) -> Row:
        common = made_by(config, revision) | outcome
        edits = [common | {"edit_id": edit_id} for edit_id in item["edit_ids"]]
        return commit_edits(output, edits) | {"began": None, "ended": None}

    work = Work(
        phase="edit",
        key="clip_row",
        pending=lambda: pending(output),
        # an editor takes the next clip when it is done with the last
        block_rows=lambda clips: 1,
        chain=chain,
        give_up=give_up,
    )
    yield from carry_out(work, output, config.execution)


def pending(output: Storage) -> pa.Table:
    """Work items, one a clip: the planned edits that edits/ does not hold."""
    done = set(committed(output))
    items = [
        {
            "clip_file": rows[0]["clip_file"],
            "clip_row": rows[0]["clip_row"],
            "source_prompt": rows[0]["source_prompt"],
            "edit_ids": [row["edit_id"] for row in rows],
            "target_prompts": [row["target_prompt"] for row in rows],
            "seeds": [row["seed"] for row in rows],
        }
        for rows in by_clip(r for r in read_plan(output).to_pylist() if r["edit_id"] not in done)
    ]
    return pa.Table.from_pylist(items)


def committed(output: Storage) -> dict[str, str]:
    """Every committed edit's id and the file that holds it."""
    return {
        edit_id: name
        for name in output.files("edits", ".parquet")
        for edit_id in output.read_table(name, ["edit_id"])["edit_id"].to_pylist()
    }
