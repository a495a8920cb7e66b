"""The files of metrics that MEASURE commits, and the edits that are not measured yet."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.config.config import Config
from pipelines.config.fingerprints import fingerprints
from pipelines.ids import content_id
from pipelines.rows import Row
from pipelines.schema import MEASURES, PLAN, rows_table
from pipelines.storage import Storage
from pipelines.tables.commit import commit
from pipelines.tables.plan import PLAN_BATCH_ROWS, PLANNED_CLIP


def commit_measures(output: Storage, name: str, measures: list[Row]) -> Row:
    """Write measures as the file of a name.

    Args:
        name: see `measures_name`.
        measures: rows of `schema.MEASURES`.

    Returns:
        Counts, as `tables.commit` returns them.
    """
    return commit(output, measures_file(name), rows_table(measures, MEASURES), "edit_id")


def measures_name(edit_file: str, size: int, edit_ids: Sequence[str], how: str) -> str:
    """Returns a hash that identifies measures of edits.

    Args:
        edit_file: the file of the edits.
        size: bytes of the file, which differ if the edits were repeated.
        edit_ids: the edits.
        how: fingerprint of the metrics.
    """
    return content_id(file=edit_file, size=size, edits=sorted(edit_ids), how=how)


def measures_file(name: str) -> str:
    """Returns the file of measures, below the output."""
    return f"measures/{name}.parquet"


MEASURE_ITEMS = pa.schema(
    [
        *(PLAN.field(name).remove_metadata() for name in PLANNED_CLIP),
        ("edit_file", pa.string()),
        ("edit_ids", pa.list_(pa.string())),
        ("target_prompts", pa.list_(pa.string())),
        ("target_wheres", pa.list_(pa.string())),
        ("edit_lists", pa.list_(pa.string())),
        ("measures", pa.string()),
    ]
)
"""A file of edits, its edits that are planned, and the name of their measures."""
MEASURED = ("edit_id", "target_prompt", "target_where", "edit_list")
"""The columns of the plan that `items` needs, beside those of the clip."""


def pending_measures(output: Storage, config: Config, plan: pa.Table, edits: pa.Table) -> pa.Table:
    """Returns the rows of `items` that measures/ lacks. Arguments as for `items`."""
    if not config.measure.metrics:
        return MEASURE_ITEMS.empty_table()
    every = items(plan, edits, config)
    return every.filter(pc.invert(_is_committed(output, every["measures"])))


def items(plan: pa.Table, edits: pa.Table, config: Config) -> pa.Table:
    """Returns the files of edits to measure, as `MEASURE_ITEMS` in the plan's order.

    Args:
        plan: planned edits, or tries of a rung.
        edits: committed edits, a table of `tables.edits.EDIT_FILES`.
    """
    place = pc.index_in(plan["edit_id"], edits["edit_id"])
    done = plan.filter(pc.is_valid(place))
    held = edits.take(pc.drop_null(place))
    done = done.append_column("edit_file", held["file"]).append_column("size", held["size"])
    files = done.group_by([*PLANNED_CLIP, "edit_file", "size"], use_threads=False).aggregate(
        [(name, "list") for name in MEASURED]
    )
    how = fingerprints(config)["measure"]
    batches = files.select(["edit_file", "size", "edit_id_list"]).to_batches(PLAN_BATCH_ROWS)
    rows = (row for batch in batches for row in batch.to_pylist())
    names = [measures_name(r["edit_file"], r["size"], r["edit_id_list"], how) for r in rows]
    columns = [files[name] for name in (*PLANNED_CLIP, "edit_file")]
    columns += [files[f"{name}_list"] for name in MEASURED]
    columns += [pa.array(names, pa.string())]
    return pa.table(columns, schema=MEASURE_ITEMS)


def measures_of(output: Storage, plan: pa.Table, edits: pa.Table, config: Config) -> pa.Table:
    """Returns edit_id and file of every edit that is measured.

    Args:
        plan, edits: as for `items`.
    """
    every = items(plan, edits, config)
    every = every.filter(_is_committed(output, every["measures"]))
    edit_ids = every["edit_ids"].combine_chunks()
    counts = edit_ids.value_lengths().to_numpy(zero_copy_only=False)
    files = [measures_file(name) for name in every["measures"].to_pylist()]
    repeated = np.repeat(np.array(files, object), counts)
    return pa.table({"edit_id": edit_ids.flatten(), "file": pa.array(repeated, pa.string())})


def _is_committed(output: Storage, names: pa.ChunkedArray) -> pa.ChunkedArray:
    there = output.files("measures", ".parquet")
    files = [measures_file(name) for name in names.to_pylist()]
    return pc.is_in(pa.chunked_array([files], pa.string()), pa.array(there, pa.string()))
