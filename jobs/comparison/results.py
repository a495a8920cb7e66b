"""What the runs of a comparison have in common: edits of the same clip and target, with figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jobs.evaluation.figures import Figure, mean, share
from pipelines.schema import METRIC_PREFIX, OUTCOME
from pipelines.storage import Storage
from pipelines.tables.plan import current_plan

Pair = tuple[str, str, str, str]
"""What makes edits comparable: `PAIRED` of the plan."""
PAIRED = ["clip_row", "source_prompt", "target_prompt", "target_where"]
SECONDS = "seconds"


@dataclass(frozen=True)
class Edit:
    """An edit of one editor, without its video."""

    row_id: str
    file: str
    """The file of the dataset that holds its row."""
    place: int
    """Its index in the file."""
    status: str
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    """Metrics by name, and `SECONDS`. None: not measured."""


def read_edits(output: Storage) -> dict[Pair, Edit]:
    """Returns the edits of a published run, in the order of its plan. Reads no videos."""
    plan = current_plan(output, ["edit_id", *PAIRED])
    edits = {}
    for name in output.find("dataset", ".parquet"):
        numbers = metrics_of(output, name)
        columns = ["row_id", "level", OUTCOME[0], SECONDS, *numbers.values()]
        for place, row in enumerate(output.read_table(name, columns).to_pylist()):
            if row["level"] == "edit":
                values = {metric: row[column] for metric, column in numbers.items()}
                values[SECONDS] = row[SECONDS]
                edits[row["row_id"]] = Edit(row["row_id"], name, place, row["status"], values)
    pairs = zip(*(plan[name].to_pylist() for name in PAIRED), strict=True)
    ids = plan["edit_id"].to_pylist()
    return {pair: edits[id] for pair, id in zip(pairs, ids, strict=True) if id in edits}


def metrics_of(output: Storage, name: str) -> dict[str, str]:
    """Returns the columns of metrics in a file of a dataset, by the names of the metrics."""
    found = [
        column for column in output.read_schema(name).names if column.startswith(METRIC_PREFIX)
    ]
    return {column.removeprefix(METRIC_PREFIX): column for column in found}


def figures(edits: Mapping[str, Mapping[Pair, Edit]]) -> dict[str, dict[str, Any]]:
    """Returns the figures of every editor by its name.

    An editor has the number of its edits (`edits`), the share that is ok (`ok`), and the mean of
    every number, each a `Figure`. `differences` has the same less those of the first editor, over
    the edits of the same clip and target for which both have a value, and `pairs` their number.

    Args:
        edits: by the name of the editor.
    """
    first = next(iter(edits.values()))
    found: dict[str, dict[str, Any]] = {}
    for name, own in edits.items():
        both = [pair for pair in first if pair in own]
        numbers = _numbers(own)
        values: dict[str, Figure] = {"ok": share([edit.status == "ok" for edit in own.values()])}
        differences: dict[str, Figure] = {}
        pairs: dict[str, int] = {}
        for number in ("ok", *numbers):
            if number != "ok":
                values[number] = mean(_finite([_value(edit, number) for edit in own.values()]))
            apart = _finite([_value(own[p], number) - _value(first[p], number) for p in both])
            differences[number], pairs[number] = mean(apart), len(apart)
        found[name] = {"edits": len(own), "values": values}
        if own is not first:
            found[name] |= {"differences": differences, "pairs": pairs}
    return found


def _numbers(edits: Mapping[Pair, Edit]) -> list[str]:
    return list(dict.fromkeys(number for edit in edits.values() for number in edit.numbers))


def _value(edit: Edit, number: str) -> float:
    if number == "ok":
        return float(edit.status == "ok")
    value = edit.numbers.get(number)
    return np.nan if value is None else value


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]
