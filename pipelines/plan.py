"""PLAN: clips in; one row a clip and target out, as plan/plan.parquet.

A plan may be changed by hand: rows deleted, added, or given other prompts. What is there is kept,
under ids that fit; planned anew is only what is not.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import ray.data

from pipelines import ids
from pipelines.cluster import rows_per_block
from pipelines.config import Config
from pipelines.errors import RunError
from pipelines.schema import PLAN, conform, unique
from pipelines.stages.base import Row
from pipelines.stages.edit import Editor, editor_settings
from pipelines.storage import Storage

PLAN_FILE = "plan/plan.parquet"
PLANNED = "plan/clips.txt"
"""The clips that were planned, so that one without a row is known to be unwanted."""
AT_ONCE = 10_000  # rows; a long plan is never Python objects as a whole
ORDER = [
    (name, "ascending")
    for name in ("source_uri", "start_seconds", "clip_row", "clip_file", "target_prompt")
]
OF_A_CLIP = ("clip_row", "clip_file", "source_prompt")
OF_AN_EDIT = (
    *("edit_id", "target_prompt", "target_kind", "source_word", "target_word", "target_distance"),
    "seed",
)
INPUTS = [
    *("row_id", "clip_id", "source_uri", "start_seconds", "source_prompt", "targets", "mask"),
    "status",
]


def plan(output: Storage, config: Config, editor: type[Editor], revision: str) -> dict[str, int]:
    """Plan every edit of every clip that is ok and not planned yet; exact duplicates collapse.

    Returns:
        Counts: planned, duplicates.

    Raises:
        RunError: the plan, changed by hand, is no plan any more; names the row.
    """
    kept = _kept(output)
    files = output.files("clips", ".parquet")
    planned = (
        ray.data.from_arrow(pa.table({"file": pa.array(files, pa.string())}))
        .repartition(target_num_rows_per_block=rows_per_block(len(files)))
        # a file of clips → one row a clip and target, with its id
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


Prompts = tuple[str, str]
"""Source and target."""


class PlanEdits:
    """The name of a file of clips to rows of `schema.PLAN`; a clip that is not ok has none.

    Args:
        output, config, editor, revision: the run's.
        kept: source and target prompts of the clips that are planned, by the clip's row_id.
    """

    def __init__(
        self,
        output: Storage,
        config: Config,
        editor: type[Editor],
        revision: str,
        kept: Mapping[str, list[Prompts]],
    ) -> None:
        self.output = output
        self.kept = kept
        self.seed = config.seed
        self.stochastic = editor.stochastic
        self.revision = revision
        self.editor: dict[str, Any] = {
            "name": config.editor,
            "crf": config.clip.crf,
            "dtype": config.backbone.dtype,
            "settings": editor_settings(editor, config),
        }

    def __call__(self, row: Row) -> list[Row]:
        clips = self.output.read_table(row["file"], INPUTS).to_pylist()
        return [
            self._edit(clip | {"source_prompt": source}, target, row["file"])
            for clip in clips
            if clip["status"] == "ok"
            for source, target in self._targets(clip)
        ]

    def _targets(self, clip: Row) -> list[tuple[str, Row]]:
        """Source prompts and targets. Of prompts written by hand it is not known what differs."""
        derived = {(clip["source_prompt"], t["prompt"]): t for t in clip["targets"]}
        prompts = self.kept.get(clip["row_id"], list(derived))
        return [(pair[0], derived.get(pair, {"prompt": pair[1]})) for pair in prompts]

    def _edit(self, clip: Row, target: Row, file: str) -> Row:
        seed = self.seed if self.stochastic else None
        return {
            "edit_id": ids.edit_id(clip, target["prompt"], self.editor, self.revision, seed),
            "clip_row": clip["row_id"],
            "clip_file": file,
            "clip_id": clip["clip_id"],
            "source_uri": clip["source_uri"],
            "start_seconds": clip["start_seconds"],
            "source_prompt": clip["source_prompt"],
            "target_prompt": target["prompt"],
            "target_kind": target.get("kind"),
            "source_word": target.get("source_word"),
            "target_word": target.get("target_word"),
            "target_distance": target.get("distance"),
            "seed": self.seed,
        }


def _kept(output: Storage) -> dict[str, list[Prompts]]:
    """What the plan that is there holds: source and target prompts of every planned clip."""
    kept: dict[str, list[Prompts]] = {}
    if output.exists(PLANNED):
        kept = {clip_row: [] for clip_row in output.read(PLANNED).decode().split()}
    prompts_of = read_plan(output, ["clip_row", "source_prompt", "target_prompt"])
    every = (row for some in prompts_of.to_batches(AT_ONCE) for row in some.to_pylist())
    for number, row in enumerate(every, start=1):
        prompts = row["source_prompt"], row["target_prompt"]
        rows = kept.setdefault(row["clip_row"], [])
        if not all(prompts):
            raise RunError(f"plan, row {number}: source_prompt and target_prompt must not be empty")
        if rows and rows[0][0] != prompts[0]:
            raise RunError(f"plan, row {number}: clip {row['clip_row']} has two source prompts")
        rows.append(prompts)
    return kept


def write_plan(output: Storage, rows: pa.Table, clips: Iterable[str]) -> None:
    """Replace the plan of these clips. Whenever this is interrupted, nothing is lost of it."""
    output.write_table(PLAN_FILE, rows)
    output.write(PLANNED, "\n".join(sorted(clips)).encode())
    for name in output.files("plan", ".parquet"):
        if name != PLAN_FILE:  # split or renamed by hand
            output.remove(name)


def read_plan(output: Storage, columns: Sequence[str] = PLAN.names) -> pa.Table:
    """The whole plan, in order; or some of its columns.

    Raises:
        RunError: a file of it is none.
    """
    try:
        tables = [
            conform(output.read_table(name), PLAN).select(columns)
            for name in output.files("plan", ".parquet")
        ]
    except pa.ArrowException as error:
        raise RunError(f"plan in {output}: {error}") from error
    return pa.concat_tables([PLAN.empty_table().select(columns), *tables]).combine_chunks()


def by_clip(plan: pa.Table, said: Sequence[str] = OF_AN_EDIT) -> pa.Table:
    """One row a clip, in order of their first rows: what its rows say of their edits, as lists.

    The lists are the plan's own columns, not copied where a clip's rows are neighbours.

    Args:
        said: the columns wanted of `OF_AN_EDIT`; "edit_id" becomes "edit_ids".
    """
    clips = plan["clip_row"].combine_chunks().dictionary_encode().indices.to_numpy()
    if (np.diff(clips) < 0).any():
        order = np.argsort(clips, kind="stable")
        plan, clips = plan.take(order), clips[order]
    starts = np.flatnonzero(np.diff(clips, prepend=-1))
    ends = pa.array(np.append(starts, len(clips)), pa.int32())
    columns = {name: plan[name].take(pa.array(starts)) for name in OF_A_CLIP}
    for name in said:
        columns[f"{name}s"] = pa.ListArray.from_arrays(ends, plan[name].combine_chunks())
    return pa.table(columns)
