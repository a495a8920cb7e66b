"""What an output holds of its sources as they are now, in numbers: those of run.json."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.config.config import Config
from pipelines.schema import unique
from pipelines.storage import Storage
from pipelines.tables.clips import current_clips
from pipelines.tables.edits import committed
from pipelines.tables.measures import MEASURED, measures_of
from pipelines.tables.plan import PLANNED_CLIP, current_plan


def annotated(output: Storage) -> dict[str, int]:
    """Returns the numbers of sources and clips, and of rows that were rejected or failed."""
    every = current_clips(output, ["source_row", "row_id", "level", "status"], repeated=True)
    found = unique(every, "row_id")
    return {
        "sources": pc.count_distinct(every["source_row"]).as_py(),
        "clips": _count(found["level"], "clip"),
        "rejected": _count(found["status"], "rejected"),
        "failed": _count(found["status"], "failed"),
    }


def edited(output: Storage) -> dict[str, int]:
    """Returns the number of planned edits that are committed, and of their clips."""
    plan = current_plan(output, [*PLANNED_CLIP, "edit_id"])
    return _committed(plan, committed(output, plan))


def measured(output: Storage, config: Config) -> dict[str, int]:
    """Returns the number of clips whose edits are measured."""
    plan = current_plan(output, [*PLANNED_CLIP, *MEASURED])
    there = measures_of(output, plan, committed(output, plan), config)
    return {"clips": _committed(plan, there)["clips"]}


def _committed(plan: pa.Table, there: pa.Table) -> dict[str, int]:
    plan = plan.filter(pc.is_in(plan["edit_id"], there["edit_id"]))
    return {"clips": pc.count_distinct(plan["clip_row"]).as_py(), "edits": len(plan)}


def _count(column: pa.ChunkedArray, value: str) -> int:
    return pc.sum(pc.equal(column, value)).as_py() or 0
