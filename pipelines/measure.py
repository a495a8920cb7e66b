"""MEASURE: edits in; their metrics out, one file a clip, as files of measures/.

A file's name says what was measured and how. Other metrics are measured beside those that are
there, and what was measured of edits that were made again is never read.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray.data

from pipelines.bounded import Work, carry_out
from pipelines.cluster import cpus, rows_per_block
from pipelines.config import Config, fingerprints
from pipelines.edit import committed
from pipelines.plan import AT_ONCE, OF_A_CLIP, read_plan
from pipelines.stages.base import Row
from pipelines.stages.measure import (
    MeasureClip,
    commit_measures,
    measures_file,
    measures_name,
    read_ok_edits,
)
from pipelines.storage import Storage
from pipelines.watch import Watch

ITEMS = pa.schema(
    [
        *((name, pa.string()) for name in OF_A_CLIP),
        ("edit_file", pa.string()),
        ("edit_ids", pa.list_(pa.string())),
        ("target_prompts", pa.list_(pa.string())),
        ("measures", pa.string()),
    ]
)
"""A file of edits, the planned ones of which are measured, and the name of their measures."""
MOST_CLIPS = 64
"""Of a block."""


def measure(output: Storage, config: Config) -> Iterator[Row]:
    """Measure the edits that are committed and not measured; yields one row a clip."""

    def chain(items: pa.Table, rows: int, watch: Watch) -> ray.data.Dataset:
        # A task whose worker died is not repeated by Ray: see `bounded`.
        alone = {"concurrency": 1} if watch.marks else {}
        return (
            ray.data.from_arrow(items)
            .repartition(target_num_rows_per_block=rows)
            .map(MeasureClip(config, output, watch), num_cpus=1, max_retries=0, **alone)
        )

    def give_up(item: Row, outcome: Row) -> Row:
        edits = read_ok_edits(output, item["edit_file"], item["edit_ids"], ["edit_id"])
        return commit_measures(output, item["measures"], [edit | outcome for edit in edits])

    work = Work(
        phase="measure",
        key="measures",
        pending=lambda: pending(output, config),
        workers=cpus(),
        first_rows=rows_per_block,
        most_rows=MOST_CLIPS,
        chain=chain,
        give_up=give_up,
    )
    yield from carry_out(work, output, config.execution)


def pending(output: Storage, config: Config) -> pa.Table:
    """Work items: of `items`, those that measures/ does not hold."""
    if not config.measure.metrics:
        return ITEMS.empty_table()
    plan = read_plan(output, [*OF_A_CLIP, "edit_id", "target_prompt"])
    every = items(plan, committed(output, plan), config)
    return every.filter(pc.invert(_is_there(output, every["measures"])))


def items(plan: pa.Table, edits: pa.Table, config: Config) -> pa.Table:
    """What there is to measure, a table of `ITEMS`, in the plan's order.

    Args:
        plan: planned edits.
        edits: the committed ones, of `edit.EDIT_FILES`.
    """
    place = pc.index_in(plan["edit_id"], edits["edit_id"])
    done = plan.filter(pc.is_valid(place))
    held = edits.take(pc.drop_null(place))
    done = done.append_column("edit_file", held["file"]).append_column("size", held["size"])
    files = done.group_by([*OF_A_CLIP, "edit_file", "size"], use_threads=False).aggregate(
        [("edit_id", "list"), ("target_prompt", "list")]
    )
    how = fingerprints(config)["measure"]
    batches = files.select(["edit_file", "size", "edit_id_list"]).to_batches(AT_ONCE)
    rows = (row for batch in batches for row in batch.to_pylist())
    names = [measures_name(r["edit_file"], r["size"], r["edit_id_list"], how) for r in rows]
    columns = [files[name] for name in (*OF_A_CLIP, "edit_file")]
    columns += [files["edit_id_list"], files["target_prompt_list"], pa.array(names, pa.string())]
    return pa.table(columns, schema=ITEMS)


def measures_of(output: Storage, plan: pa.Table, edits: pa.Table, config: Config) -> pa.Table:
    """Which file below the output holds the measures of an edit: edit_id and file.

    Args:
        plan, edits: as for `items`.

    Returns:
        Edits whose measures are there.
    """
    every = items(plan, edits, config)
    every = every.filter(_is_there(output, every["measures"]))
    edit_ids = every["edit_ids"].combine_chunks()
    counts = edit_ids.value_lengths().to_numpy(zero_copy_only=False)
    files = [measures_file(name) for name in every["measures"].to_pylist()]
    repeated = np.repeat(np.array(files, object), counts)
    return pa.table({"edit_id": edit_ids.flatten(), "file": pa.array(repeated, pa.string())})


def _is_there(output: Storage, names: pa.ChunkedArray) -> pa.ChunkedArray:
    there = output.files("measures", ".parquet")
    files = [measures_file(name) for name in names.to_pylist()]
    return pc.is_in(pa.chunked_array([files], pa.string()), pa.array(there, pa.string()))
