"""PLAN: reads the clips and writes plan/plan.parquet, one row per clip and target.

A user may edit the plan: delete rows, add rows, or change prompts. Existing rows are kept and their
ids recomputed. Only clips without a plan are planned.
"""

import pyarrow as pa
import pyarrow.compute as pc
import ray.data

from pipelines.cluster import rows_per_block
from pipelines.config.config import Config
from pipelines.editors.base import Editor
from pipelines.errors import RunError
from pipelines.schema import PLAN, conform, unique
from pipelines.stages.plan_edits import PlanEdits
from pipelines.storage import Storage
from pipelines.tables.clips import current_clips
from pipelines.tables.plan import is_changed_by_hand, planned_prompts, read_plan, write_plan
from pipelines.tables.sources import VERSIONED, current

ORDER = [
    (name, "ascending")
    for name in ("source_uri", "start_seconds", "clip_row", "clip_file", "target_prompt")
]


def plan(
    output: Storage,
    config: Config,
    editor: type[Editor],
    revision: str,
    sources: pa.Table | None,
) -> dict[str, int]:
    """Plan the edits of clips that are ok and not planned. Equal edits become one row.

    Rows of clips that have left the dataset are kept.

    Args:
        output: the run's folder.
        config: the run's configuration.
        editor: the editor's class.
        revision: revision of the editor's weights.
        sources: the sources whose clips are planned. None: plan no clip, and only bring the ids of
            the existing rows up to date.

    Returns:
        Counts: planned, duplicates.

    Raises:
        RunError: a row edited by hand is not valid; names the row.
    """
    kept = planned_prompts(output)
    clips = current_clips(output, ["row_id", *VERSIONED], repeated=True)
    if not len(clips):
        raise RunError(f"output {output} holds no clips: annotate first")
    gone = read_plan(output)
    gone = gone.filter(pc.invert(pc.is_in(gone["clip_row"], clips["row_id"])))
    chosen = pa.array(kept, pa.string())
    if sources is not None:
        chosen = pa.concat_arrays([chosen, *current(clips, sources)["row_id"].chunks])
    clips = clips.filter(pc.is_in(clips["row_id"], chosen))
    files = clips.group_by("file", use_threads=False).aggregate([("row_id", "list")])
    files = files.rename_columns({"row_id_list": "clip_rows"})
    planned = (
        ray.data.from_arrow(files.sort_by("file"))
        .repartition(target_num_rows_per_block=rows_per_block(len(files)))
        # clips of a file → one row per clip and target, with its id
        .flat_map(PlanEdits(output, config, editor, revision, kept), num_cpus=1)
    )
    tables = [
        conform(table, PLAN)
        for table in planned.iter_batches(batch_size=None, batch_format="pyarrow")
        if len(table)
    ]
    every = pa.concat_tables([PLAN.empty_table(), *tables]).sort_by(ORDER)
    count, clip_rows = len(every), {*kept, *every["clip_row"].to_pylist()}
    tables.clear()
    rows = unique(every, "edit_id")
    del every  # as large as the plan itself
    write_plan(output, unique(pa.concat_tables([rows, gone]), "edit_id"), clip_rows)
    return {"planned": len(rows), "duplicates": count - len(rows)}


def refresh(output: Storage, config: Config, editor: type[Editor], revision: str) -> None:
    """Bring the ids of a plan that was changed by hand up to date. Arguments as for `plan`."""
    if is_changed_by_hand(output):
        plan(output, config, editor, revision, None)
