"""PLAN: reads the clips and writes plan/plan.parquet, one row per clip and target.

A user may edit the plan: delete rows, add rows, or change prompts. Existing rows are kept and their
ids recomputed. Only clips without a plan are planned.
"""

import pyarrow as pa
import ray.data

from pipelines.cluster import rows_per_block
from pipelines.config.config import Config
from pipelines.editors.base import Editor
from pipelines.schema import PLAN, conform, unique
from pipelines.stages.plan_edits import PlanEdits
from pipelines.storage import Storage
from pipelines.tables.plan import planned_prompts, write_plan

ORDER = [
    (name, "ascending")
    for name in ("source_uri", "start_seconds", "clip_row", "clip_file", "target_prompt")
]


def plan(output: Storage, config: Config, editor: type[Editor], revision: str) -> dict[str, int]:
    """Plan all edits of the clips that are ok and not planned. Equal edits become one row.

    Args:
        output: the run's folder.
        config: the run's configuration.
        editor: the editor's class.
        revision: revision of the editor's weights.

    Returns:
        Counts: planned, duplicates.

    Raises:
        RunError: a row edited by hand is not valid; names the row.
    """
    kept = planned_prompts(output)
    files = output.files("clips", ".parquet")
    planned = (
        ray.data.from_arrow(pa.table({"file": pa.array(files, pa.string())}))
        .repartition(target_num_rows_per_block=rows_per_block(len(files)))
        # file of clips → one row per clip and target, with its id
        .flat_map(PlanEdits(output, config, editor, revision, kept), num_cpus=1)
    )
    tables = [
        conform(table, PLAN)
        for table in planned.iter_batches(batch_size=None, batch_format="pyarrow")
        if len(table)
    ]
    every = pa.concat_tables([PLAN.empty_table(), *tables]).sort_by(ORDER)
    count, clips = len(every), {*kept, *every["clip_row"].to_pylist()}
    tables.clear()
    rows = unique(every, "edit_id")
    del every  # as large as the plan itself
    write_plan(output, rows, clips)
    return {"planned": len(rows), "duplicates": count - len(rows)}
