"""Statistics of all rows of a dataset, and the selection of rows for the report."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.schema import METRIC_PREFIX, STATUSES
from pipelines.storage import Storage

COLUMNS = ["row_id", "level", "status", "error_stage", "error_type", "target_kind"]
LISTED = 5000
"""Maximum number of rows that are listed in addition to the sample."""
REASONS = 100
"""Maximum number of reasons that are listed."""
BINS = 30

Place = tuple[int, str, int]
"""A row's hash, its file, and its index in the file."""


@dataclass
class Survey:
    facts: dict[str, Any]
    """Statistics of all rows as JSON values: counts by status and kind, reasons, distributions."""
    numbers: list[str]
    """The numeric columns: metrics, and seconds."""
    listed: dict[str, dict[int, bool]]
    """The listed rows of each file, by index: whether their clips are included."""


def survey(output: Storage, seed: int, sample: int, most: int = LISTED) -> Survey:
    """Read all rows without videos and texts. Memory: eight bytes per row and numeric column.

    The report lists `sample` edits that are ok, and at most `most` further rows: first failed rows,
    then rejected rows, both with their clips, then other edits without clips. A hash of seed and
    row_id selects among too many rows, independent of their files.

    Args:
        output: the run's folder, with a dataset.
        seed: of the selection.
        sample: number of edits whose clips are included.
        most: maximum number of further rows.
    """
    statuses: Counter[str] = Counter(dict.fromkeys(STATUSES, 0))
    kinds: Counter[str] = Counter()
    reasons: Counter[tuple[str, ...]] = Counter()
    numbers: list[str] = []
    values: dict[str, list[np.ndarray]] = defaultdict(list)
    kept: dict[str, list[Place]] = {status: [] for status in STATUSES}
    for name in output.find("dataset", ".parquet"):
        numbers = numbers or _numbers(output.read_schema(name))
        table = output.read_table(name, COLUMNS + numbers)
        rows = table.select(COLUMNS).to_pydict()
        statuses.update(rows["status"])
        kinds.update(kind for kind in rows["target_kind"] if kind is not None)
        why = zip(rows["status"], rows["error_stage"], rows["error_type"], strict=True)
        reasons.update(
            (status, stage or "", type_ or "") for status, stage, type_ in why if status != "ok"
        )
        edits = table.filter(pc.equal(table["level"], "edit"))
        for number in numbers:
            column = edits[number].drop_null().to_numpy().astype(float)
            values[number].append(column[np.isfinite(column)])
        for status, places in _places(rows, name, seed).items():
            kept[status] = nsmallest(sample + most, [*kept[status], *places])
    facts = {
        "rows": statuses.total(),
        "sample": min(sample, statuses["ok"]),
        "statuses": statuses,
        "kinds": dict(sorted(kinds.items())),
        "reasons": [[*reason, count] for reason, count in reasons.most_common(REASONS)],
        "distributions": [_distribution(number, values[number]) for number in numbers],
    }
    return Survey(facts, numbers, _choose(kept, sample, most))


def _numbers(schema: pa.Schema) -> list[str]:
    metrics = [
        f.name for f in schema if f.name.startswith(METRIC_PREFIX) and pa.types.is_floating(f.type)
    ]
    return [*metrics, "seconds"]


def _places(rows: dict[str, list[Any]], name: str, seed: int) -> dict[str, list[Place]]:
    """Returns the places of a file's rows, by status."""
    found: dict[str, list[Place]] = defaultdict(list)
    for place, (row_id, status) in enumerate(zip(rows["row_id"], rows["status"], strict=True)):
        digest = hashlib.blake2b(f"{seed}:{row_id}".encode(), digest_size=8).digest()
        found[status].append((int.from_bytes(digest), name, place))
    return found


def _choose(kept: dict[str, list[Place]], sample: int, most: int) -> dict[str, dict[int, bool]]:
    not_ok = [*kept["failed"], *kept["rejected"]][:most]
    shown = [*kept["ok"][:sample], *not_ok]
    others = kept["ok"][sample : sample + most - len(not_ok)]
    listed: dict[str, dict[int, bool]] = defaultdict(dict)
    for with_clips, places in ((True, shown), (False, others)):
        for _, name, place in places:
            listed[name][place] = with_clips
    return dict(sorted(listed.items()))


def _distribution(name: str, parts: Iterable[np.ndarray]) -> dict[str, Any]:
    """Returns count, median and histogram of values: `bins` of equal width from `low` to `high`."""
    values = np.concatenate([np.empty(0), *parts])
    found: dict[str, Any] = {"name": name.removeprefix(METRIC_PREFIX), "count": len(values)}
    if len(values):
        low, high = values.min(), values.max()
        if np.isclose(low, high):
            margin = max(1.0, abs(low)) / 2
            low, high = low - margin, high + margin
        bins, edges = np.histogram(values, BINS, (low, high))
        found |= {"low": float(edges[0]), "high": float(edges[-1]), "bins": bins.tolist()}
        found |= {"median": float(np.median(values))}
    return found
