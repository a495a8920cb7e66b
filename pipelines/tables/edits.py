"""The files of edits that EDIT commits, one per clip, and the edits that have no file yet."""

from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.ids import content_id
from pipelines.rows import Row
from pipelines.schema import EDITS, rows_table, unique
from pipelines.storage import Storage
from pipelines.tables.commit import commit
from pipelines.tables.plan import PLANNED_CLIP, by_clip, current_plan


def commit_edits(output: Storage, edits: list[Row]) -> Row:
    """Write the edits of a clip as one file, whose name is a hash of their ids.

    Args:
        edits: rows of `schema.EDITS`.

    Returns:
        Counts, as `tables.commit` returns them.
    """
    name = edits_file([edit["edit_id"] for edit in edits])
    return commit(output, name, rows_table(edits, EDITS), "edit_id")


def edits_file(edit_ids: Collection[str]) -> str:
    """Returns the file that holds exactly these edits, below the output."""
    return f"edits/{content_id(edits=sorted(edit_ids))}.parquet"


EDITOR_INPUTS = ("edit_id", "target_prompt", "target_where", "seed")
"""The columns of the plan that an editor reads."""


EDIT_FILES = pa.schema(
    [
        ("edit_id", pa.string()),
        ("file", pa.string()),
        ("size", pa.int64()),
        ("bytes", pa.float64()),
    ]
)
"""The file of an edit below the output, the size of the file, and the edit's share of its bytes."""


CLIPS_PER_LOOKUP = 10_000
"""Clips whose edit ids are Python objects at the same time."""


def pending_edits(output: Storage, sources: pa.Table | None = None) -> pa.Table:
    """Returns the planned edits of sources that edits/ lacks, one row per clip."""
    plan = current_plan(output, [*PLANNED_CLIP, *EDITOR_INPUTS], sources)
    done = committed(output, plan)
    left = plan.filter(pc.invert(pc.is_in(plan["edit_id"], done["edit_id"])))
    return by_clip(left, EDITOR_INPUTS)


def committed(output: Storage, plan: pa.Table) -> pa.Table:
    """Returns every committed edit once, as a table of `EDIT_FILES`.

    Args:
        plan: the planned edits, for the names of their files.
    """
    sizes = output.sizes("edits", ".parquet")
    tables = [EDIT_FILES.empty_table()]
    # Most files hold all edits of a clip, and are identified by name without being read.
    for clips in by_clip(plan, ["edit_id"]).to_batches(CLIPS_PER_LOOKUP):
        named = ((edits_file(ids), ids) for ids in clips["edit_ids"].to_pylist())
        found = (_held(name, ids, sizes.pop(name)) for name, ids in named if name in sizes)
        tables.append(rows_table([row for rows in found for row in rows], EDIT_FILES))
    for name, size in sizes.items():
        ids = output.read_table(name, ["edit_id"])["edit_id"].to_pylist()
        tables.append(rows_table(_held(name, ids, size), EDIT_FILES))
    return unique(pa.concat_tables(tables), "edit_id")


def _held(name: str, edit_ids: list[str], size: int) -> list[Row]:
    """Returns the edits of a file as rows of `EDIT_FILES`."""
    each = size / len(edit_ids)
    held = {"file": name, "size": size, "bytes": each}
    return [{"edit_id": edit_id} | held for edit_id in edit_ids]


def read_ok_edits(
    output: Storage,
    file: str,
    edit_ids: Sequence[str],
    columns: Sequence[str] = ("edit_id", "edited_video"),
) -> list[Row]:
    """Returns those of the edits in a file that are ok."""
    chosen = [("status", "=", "ok"), ("edit_id", "in", edit_ids)]
    return output.read_table(file, list(columns), chosen).to_pylist()
