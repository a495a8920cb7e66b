"""PLAN: clips in; one row a clip and target out, as files of plan/."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import ray.data

from pipelines import ids
from pipelines.cluster import rows_per_block
from pipelines.config import Config
from pipelines.schema import PLAN, rows_table
from pipelines.stages.base import Row
from pipelines.stages.edit import Editor
from pipelines.storage import Storage

ROWS_PER_FILE = 10_000
INPUTS = [
    *("row_id", "clip_id", "source_uri", "start_seconds", "source_prompt", "targets", "mask"),
    "status",
]


def plan(output: Storage, config: Config, editor: type[Editor], revision: str) -> dict[str, int]:
    """Plan every edit of every clip that is ok; exact duplicates collapse.

    Returns:
        Counts: planned, duplicates.
    """
    files = output.files("clips", ".parquet")
    planned = (
        ray.data.from_arrow(pa.table({"file": pa.array(files, pa.string())}))
        .repartition(target_num_rows_per_block=rows_per_block(len(files)))
        # a file of clips → one row a clip and target, with its id
        .flat_map(PlanEdits(output, config, editor, revision), num_cpus=1)
    )
    rows: dict[str, Row] = {}
    total = 0
    for row in planned.iter_rows():
        total += 1
        rows.setdefault(row["edit_id"], row)
    write_plan(output, sorted(rows.values(), key=_order))
    return {"planned": len(rows), "duplicates": total - len(rows)}


class PlanEdits:
    """The name of a file of clips to rows of `schema.PLAN`; a clip that is not ok has none."""

    def __init__(
        self, output: Storage, config: Config, editor: type[Editor], revision: str
    ) -> None:
        self.output = output
        self.seed = config.seed
        self.stochastic = editor.stochastic
        self.revision = revision
        self.editor: dict[str, Any] = {
            "name": config.editor,
            "crf": config.clip.crf,
            "dtype": config.backbone.dtype,
            "settings": dataclasses.asdict(config.edit),
        }

    def __call__(self, row: Row) -> list[Row]:
        clips = self.output.read_table(row["file"], INPUTS).to_pylist()
        return [
            self._edit(clip, target, row["file"])
            for clip in clips
            if clip["status"] == "ok"
            for target in clip["targets"]
        ]

    def _edit(self, clip: Row, target: str, file: str) -> Row:
        seed = self.seed if self.stochastic else None
        return {
            "edit_id": ids.edit_id(clip, target, self.editor, self.revision, seed),
            "clip_row": clip["row_id"],
            "clip_file": file,
            "clip_id": clip["clip_id"],
            "source_uri": clip["source_uri"],
            "start_seconds": clip["start_seconds"],
            "source_prompt": clip["source_prompt"],
            "target_prompt": target,
            "seed": self.seed,
        }


def write_plan(output: Storage, rows: list[Row]) -> None:
    """Replace the plan, in files of bounded size."""
    output.remove("plan")
    for start in range(0, max(len(rows), 1), ROWS_PER_FILE):
        table = rows_table(rows[start : start + ROWS_PER_FILE], PLAN)
        output.write_table(f"plan/part-{start // ROWS_PER_FILE:05d}.parquet", table)


def read_plan(output: Storage) -> pa.Table:
    """The whole plan, in order."""
    tables = [output.read_table(name) for name in output.files("plan", ".parquet")]
    return pa.concat_tables(tables) if tables else PLAN.empty_table()


def _order(row: Row) -> tuple[Any, ...]:
    return row["source_uri"], row["start_seconds"], row["clip_row"], row["target_prompt"]


def by_clip(rows: Iterable[Row]) -> list[list[Row]]:
    """Group the rows of a plan by clip, in order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["clip_row"], []).append(row)
    return list(groups.values())
