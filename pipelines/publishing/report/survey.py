"""Statistics of all rows of a dataset, and the selection of rows for the report."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.config.sections import Bounds
from pipelines.publishing.report.edits import EditSample
from pipelines.schema import METRIC_PREFIX, STATUSES, WORST_SUFFIX
from pipelines.storage import Storage
from pipelines.tables.outcomes import COUNTED, OutcomeCounter, Outcomes

COLUMNS = ["row_id", *COUNTED]
LISTED = 5000
"""Maximum number of rows that are listed in addition to the sample."""
REASONS = 100
"""Maximum number of reasons that are listed."""
BINS = 30

Place = tuple[int, str, int]
"""A row's hash, its file, and its index in the file."""


@dataclass
class Survey:
    outcomes: Outcomes
    facts: dict[str, Any]
    """Statistics of all rows as JSON values: counts by status and kind, reasons, distributions."""
    numbers: list[str]
    """The numeric columns: metrics, and seconds."""
    columns: list[str]
    """All columns of the dataset."""
    edits: EditSample
    listed: dict[str, dict[int, bool]]
    """The listed rows of each file, by index: whether their clips are included."""


def survey(
    output: Storage,
    seed: int,
    sample: int,
    most: int = LISTED,
    limits: Mapping[str, Bounds] | None = None,
) -> Survey:
    """Read all rows without videos and texts. Memory: eight bytes per row and numeric column.

    The report lists `sample` edits that are ok, and at most `most` further rows: first failed rows,
    then rejected rows, both with their clips, then other edits without clips. A hash of seed and
    row_id selects among too many rows, independent of their files.

    Args:
        output: the run's folder, with a dataset.
        seed: of the selection.
        sample: number of edits whose clips are included.
        most: maximum number of further rows.
        limits: the bounds under which the dataset was published, by metric.
    """
    values: dict[str, list[np.ndarray]] = defaultdict(list)
    kept: dict[str, list[Place]] = {status: [] for status in STATUSES}
    names = output.find("dataset", ".parquet")
    schema = output.read_schema(names[0]) if names else pa.schema([])
    numbers = _numbers(schema)
    counter, sampled = OutcomeCounter(limits or {}), EditSample(_bounded(numbers[:-1]))
    for name in names:
        table = output.read_table(name, COLUMNS + numbers)
        counter.add(table)
        edits = table.filter(pc.equal(table["level"], "edit"))
        for number in numbers:
            column = edits[number].drop_null().to_numpy().astype(float)
            values[number].append(column[np.isfinite(column)])
        hashes = [_hash(seed, row_id) for row_id in table["row_id"].to_pylist()]
        sampled.add(table, np.array(hashes, np.uint64))
        for status, places in _places(table["status"].to_pylist(), hashes, name).items():
            kept[status] = nsmallest(sample + most, [*kept[status], *places])
    outcomes = counter.result()
    statuses = {status: outcomes.count(status) for status in STATUSES}
    facts = {
        "rows": sum(statuses.values()),
        "sample": min(sample, statuses["ok"]),
        "statuses": statuses,
        "kinds": {kind.kind: kind.planned for kind in outcomes.kinds if kind.kind is not None},
        "reasons": _reasons(outcomes)[:REASONS],
        "distributions": [_distribution(number, values[number]) for number in numbers],
    }
    listed = _choose(kept, sample, most)
    return Survey(outcomes, facts, numbers, schema.names, sampled, listed)


def _reasons(outcomes: Outcomes) -> list[list[str | int]]:
    reasons: Counter[tuple[str, str, str]] = Counter()
    for each in outcomes.rows:
        if each.status != "ok":
            reasons[each.status, each.error_stage or "", each.error_type or ""] += each.rows
    return [[*reason, count] for reason, count in reasons.most_common()]


def _numbers(schema: pa.Schema) -> list[str]:
    metrics = [
        f.name for f in schema if f.name.startswith(METRIC_PREFIX) and pa.types.is_floating(f.type)
    ]
    return [*metrics, "seconds"]


def _bounded(metrics: list[str]) -> list[str]:
    """Returns the columns of metrics that limits apply to, see `schema.bounded_column`."""
    return [name for name in metrics if name + WORST_SUFFIX not in metrics]


def _hash(seed: int, row_id: str) -> int:
    digest = hashlib.blake2b(f"{seed}:{row_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)


def _places(statuses: list[str], hashes: list[int], name: str) -> dict[str, list[Place]]:
    """Returns the places of a file's rows, by status."""
    found: dict[str, list[Place]] = defaultdict(list)
    for place, (status, hash) in enumerate(zip(statuses, hashes, strict=True)):
        found[status].append((hash, name, place))
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
