"""The tries of edits, rung by rung, derived from the committed files.

Rung 0 has the first try of every planned edit. Rung k has one more try of every edit whose try on
rung k-1 is measured and outside `publish.limits`. A try that failed is not made again: `strmatch
retry` repeats failures.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.config.config import Config
from pipelines.config.ladder import at_rung
from pipelines.editors.base import editor_settings
from pipelines.ids import content_id
from pipelines.plugins import find_editor
from pipelines.stages.quality_limits import apply_limits
from pipelines.storage import Storage
from pipelines.tables.edits import EDITOR_INPUTS, committed, edits_folder
from pipelines.tables.measures import MEASURED, measures_of
from pipelines.tables.plan import PLANNED_CLIP

PLAN_COLUMNS = tuple(dict.fromkeys((*PLANNED_CLIP, *EDITOR_INPUTS, *MEASURED)))
"""The columns of the plan that editors and metrics read."""
READERS = 16
"""Number of files of measures that are read at the same time."""


@dataclass(frozen=True)
class Rung:
    """The tries with the same number."""

    number: int
    """0 for the first tries."""
    config: Config
    """The configuration of the editor. Metrics are those of the run's configuration."""
    plan: pa.Table
    """The tries, with the columns of the plan. `edit_id` identifies a try, `planned` the edit. They
    are equal on rung 0."""

    @property
    def folder(self) -> str:
        """The folder of the committed tries, below the output."""
        return edits_folder(self.number)

    def committed(self, output: Storage) -> pa.Table:
        """Returns the committed tries, as `tables.edits.committed` does."""
        return committed(output, self.plan, self.folder)


def rungs(output: Storage, config: Config, plan: pa.Table) -> Iterator[Rung]:
    """Yields the rungs that have tries, in order.

    A rung is derived when the caller is done with the rung before: what the caller commits counts.

    Args:
        output: the run's folder.
        config: the run's configuration.
        plan: planned edits, with `PLAN_COLUMNS`.
    """
    rung = Rung(0, config, plan.append_column("planned", plan["edit_id"]))
    yield rung
    while rung.number < config.edit.tries:
        refused = _refused(output, config, rung)
        if not len(refused):
            return
        rung = _next(config, rung, refused)
        yield rung


def further_tries(output: Storage, config: Config, plan: pa.Table) -> int:
    """Returns the number of committed tries beyond the first ones. Arguments as for `rungs`."""
    return sum(
        pc.sum(pc.is_in(rung.plan["edit_id"], rung.committed(output)["edit_id"])).as_py() or 0
        for rung in rungs(output, config, plan)
        if rung.number
    )


def _refused(output: Storage, config: Config, rung: Rung) -> pa.Table:
    """Returns the rows of a rung's plan that are measured and outside the limits."""
    limits = config.publish.bounds
    if not limits:
        return rung.plan.slice(0, 0)
    measured = measures_of(output, rung.plan, rung.committed(output), config)

    def outside(name: str) -> list[str]:
        rows = output.read_table(name).to_pylist()
        verdicts = ((row["edit_id"], apply_limits(row, limits)) for row in rows)
        return [edit_id for edit_id, verdict in verdicts if verdict["status"] == "rejected"]

    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(outside, pc.unique(measured["file"]).to_pylist())
        refused = pa.array([edit_id for ids in found for edit_id in ids], pa.string())
    return rung.plan.filter(pc.is_in(rung.plan["edit_id"], refused))


def _next(config: Config, rung: Rung, refused: pa.Table) -> Rung:
    """Returns the rung after `rung`, with a try of every refused edit."""
    number, editor = rung.number + 1, find_editor(config)
    changed = at_rung(config, number)
    settings = editor_settings(editor, changed)
    seeds = pc.add(refused["seed"], 1)
    own = seeds.to_pylist() if editor.stochastic else [None] * len(refused)
    made = zip(refused["planned"].to_pylist(), own, strict=True)
    ids = [content_id(edit=planned, editor=settings, seed=seed) for planned, seed in made]
    plan = _replaced(_replaced(refused, "edit_id", pa.array(ids, pa.string())), "seed", seeds)
    return Rung(number, changed, plan.combine_chunks())


def _replaced(table: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), table.field(name), column)
