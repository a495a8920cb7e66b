"""The plan: one row per clip and target prompt, in files that a user may edit by hand."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import RunError
from pipelines.ids import content_id, of_where
from pipelines.rows import Row
from pipelines.schema import PLAN, conform
from pipelines.storage import Storage
from pipelines.tables.clips import current_clips
from strmatch.metrics.base import Where

PLAN_FILE = "plan/plan.parquet"


PLANNED = "plan/clips.txt"
"""The file of planned clips: a clip in it without a row was removed from the plan by hand."""


PLAN_BATCH_ROWS = 10_000
"""Rows of a plan that are Python objects at the same time."""


PLANNED_CLIP = ("clip_row", "clip_file", "source_prompt", "num_frames")
"""The columns that all rows of a clip share."""


PLANNED_EDIT = (
    *("edit_id", "target_prompt", "target_kind", "source_word", "target_word", "target_distance"),
    *("target_where", "edit_list", "seed"),
)
"""The columns that describe an edit."""


class Prompts(NamedTuple):
    """What a row of the plan says of its edit, and a user may change."""

    source: str
    target: str
    where: str


def planned_prompts(output: Storage) -> dict[str, list[Prompts]]:
    """Returns the prompts of the existing plan, by the row_id of every planned clip.

    Raises:
        RunError: a row edited by hand is not valid; names the row.
    """
    kept: dict[str, list[Prompts]] = {}
    if output.exists(PLANNED):
        kept = {clip_row: [] for clip_row in output.read(PLANNED).decode().split()}
    prompts_of = read_plan(output, ["clip_row", "source_prompt", "target_prompt", "target_where"])
    every = (row for some in prompts_of.to_batches(PLAN_BATCH_ROWS) for row in some.to_pylist())
    for number, row in enumerate(every, start=1):
        where = row["target_where"] or "subject"
        prompts = Prompts(row["source_prompt"], row["target_prompt"], where)
        rows = kept.setdefault(row["clip_row"], [])
        if not all(prompts):
            raise RunError(f"plan, row {number}: source_prompt and target_prompt must not be empty")
        if where not in get_args(Where):
            places = ", ".join(get_args(Where))
            raise RunError(f"plan, row {number}: target_where {where!r} is none of {places}")
        if rows and rows[0].source != prompts.source:
            raise RunError(f"plan, row {number}: clip {row['clip_row']} has two source prompts")
        rows.append(prompts)
    return kept


def write_plan(output: Storage, rows: pa.Table, clips: Iterable[str]) -> None:
    """Replace the plan. An interruption at any point loses no row.

    Args:
        rows: a table of `schema.PLAN`.
        clips: row_ids of all planned clips.
    """
    output.write_table(PLAN_FILE, rows)
    output.write(PLANNED, "\n".join(sorted(clips)).encode())
    for name in output.files("plan", ".parquet"):
        if name != PLAN_FILE:  # split or renamed by hand
            output.remove(name)


def row_checksum(row: Row) -> str:
    """Returns a hash of what identifies the edit of a row, and of the prompts."""
    checked = {name: row[name] for name in CHECKED if name != "target_where"}
    return content_id(**checked, **of_where(row["target_where"]))


CHECKED = ("edit_id", "clip_row", "source_prompt", "target_prompt", "target_where")
"""The columns of a row of the plan that are read from a plan changed by hand."""


def is_changed_by_hand(output: Storage) -> bool:
    """Whether a row of the plan was written or changed by hand, or by an older version."""
    plan = read_plan(output, [*CHECKED, "row_checksum"])
    batches = plan.to_batches(PLAN_BATCH_ROWS)
    rows = (row for batch in batches for row in batch.to_pylist())
    return any(row["row_checksum"] != row_checksum(row) for row in rows)


def current_plan(
    output: Storage, columns: Sequence[str] = PLAN.names, sources: pa.Table | None = None
) -> pa.Table:
    """Returns the rows of the plan whose clips belong to the dataset, as `read_plan` does.

    Args:
        sources: as for `current_clips`.
    """
    clips = current_clips(output, ["row_id"], sources)
    plan = read_plan(output, list(dict.fromkeys([*columns, "clip_row"])))
    plan = plan.filter(pc.is_in(plan["clip_row"], clips["row_id"]))
    return plan.select(columns).combine_chunks()


def read_plan(output: Storage, columns: Sequence[str] = PLAN.names) -> pa.Table:
    """Returns the whole plan, in order, or some of its columns.

    Raises:
        RunError: a plan file is not valid Parquet.
    """
    try:
        tables = [
            conform(output.read_table(name), PLAN).select(columns)
            for name in output.files("plan", ".parquet")
        ]
    except pa.ArrowException as error:
        raise RunError(f"plan in {output}: {error}") from error
    return pa.concat_tables([PLAN.empty_table().select(columns), *tables]).combine_chunks()


def by_clip(plan: pa.Table, columns: Sequence[str] = PLANNED_EDIT) -> pa.Table:
    """Returns one row per clip, in the order of first rows, with the columns of its edits as lists.

    The lists share the plan's memory if the rows of every clip are neighbours.

    Args:
        columns: some of `PLANNED_EDIT`. The list of "edit_id" is called "edit_ids".
    """
    clips = plan["clip_row"].combine_chunks().dictionary_encode().indices.to_numpy()
    if (np.diff(clips) < 0).any():
        order = np.argsort(clips, kind="stable")
        plan, clips = plan.take(order), clips[order]
    starts = np.flatnonzero(np.diff(clips, prepend=-1))
    ends = pa.array(np.append(starts, len(clips)), pa.int32())
    found = {name: plan[name].take(pa.array(starts)) for name in PLANNED_CLIP}
    for name in columns:
        found[f"{name}s"] = pa.ListArray.from_arrays(ends, plan[name].combine_chunks())
    return pa.table(found)
