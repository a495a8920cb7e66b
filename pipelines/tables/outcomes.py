"""Counts of a published dataset by outcome: how many edits are ok, and why the others are not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from pipelines.config.sections import Bounds
from pipelines.schema import bounded_column

OUT_OF_LIMITS = "OutOfLimits"
"""The error_type of an edit that a bound of `publish.limits` rejects."""
REASON = ("level", "status", "error_stage", "error_type")
COUNTED = (*REASON, "target_kind")
"""The columns that are counted, beside those of metrics."""

End = Literal["min", "max"]
ENDS: tuple[End, End] = ("min", "max")


class RowCount(BaseModel):
    """Number of rows with the same outcome."""

    level: str | None
    status: str
    error_stage: str | None
    error_type: str | None
    rows: int


class BoundCount(BaseModel):
    """Number of edits that a bound rejects."""

    metric: str
    end: End
    value: float
    """The bound."""
    edits: int


class Yield(BaseModel):
    """Number of planned edits, and of those that are ok."""

    planned: int
    ok: int

    @property
    def percent_ok(self) -> float:
        """Planned edits that are ok, percent. 0 without planned edits."""
        return 100 * self.ok / self.planned if self.planned else 0.0


class KindCount(Yield):
    """The yield of a kind of target."""

    kind: str | None
    """`target_kind`. None: the target was given."""


class Outcomes(Yield):
    """Outcomes of the rows of a dataset. Planned edits are ok, rejected or failed."""

    rejected: int
    failed: int
    bounds: list[BoundCount]
    """All bounds in force. An edit outside several bounds counts at each of them."""
    by_several: int
    """Number of edits that several bounds reject."""
    kinds: list[KindCount]
    """By name, given targets last."""
    rows: list[RowCount]
    """All rows of the dataset, the most frequent outcome first."""

    def count(self, status: str) -> int:
        """Returns the number of rows with a status, those of clips and sources included."""
        return sum(each.rows for each in self.rows if each.status == status)


class OutcomeCounter:
    """Counts the rows of a dataset, table by table.

    Args:
        limits: the bounds under which the dataset was published, by metric.
    """

    def __init__(self, limits: Mapping[str, Bounds]) -> None:
        self.bounds: list[tuple[str, End, float]] = [
            (name, end, value)
            for name, bounds in limits.items()
            for end in ENDS
            if (value := getattr(bounds, end)) is not None
        ]
        self._rows: Counter[tuple[str | None, ...]] = Counter()
        self._kinds: Counter[tuple[str | None, ...]] = Counter()
        self._outside = [0] * len(self.bounds)
        self._by_several = 0

    def add(self, table: pa.Table) -> None:
        """Count the rows of a table with `COUNTED` and the columns of metrics."""
        self._rows.update(_counts(table, REASON))
        edits = table.filter(pc.equal(table["level"], "edit"))
        self._kinds.update(_counts(edits, ("target_kind", "status")))
        rejected = edits.filter(pc.equal(edits["error_type"], OUT_OF_LIMITS))
        several = pa.array([0] * len(rejected), pa.int64())
        for place, (metric, end, value) in enumerate(self.bounds):
            name = bounded_column(metric, rejected.column_names)
            if name not in rejected.column_names:
                continue  # not measured
            column = rejected[name]
            outside = pc.less(column, value) if end == "min" else pc.greater(column, value)
            each = outside.fill_null(False).cast(pa.int64())
            self._outside[place] += pc.sum(each).as_py() or 0
            several = pc.add(several, each)
        self._by_several += pc.sum(pc.greater(several, 1)).as_py() or 0

    def result(self) -> Outcomes:
        """Returns the counts of all tables."""
        edits = Counter[str | None]()
        for (_, status), count in self._kinds.items():
            edits[status] += count
        kinds = sorted(
            {kind for kind, _ in self._kinds}, key=lambda kind: (kind is None, kind or "")
        )
        return Outcomes(
            planned=edits.total(),
            ok=edits["ok"],
            rejected=edits["rejected"],
            failed=edits["failed"],
            bounds=[
                BoundCount(metric=metric, end=end, value=value, edits=count)
                for (metric, end, value), count in zip(self.bounds, self._outside, strict=True)
            ],
            by_several=self._by_several,
            kinds=[self._kind(kind) for kind in kinds],
            rows=[
                RowCount(**dict(zip(REASON, reason, strict=True)), rows=count)
                for reason, count in sorted(
                    self._rows.items(), key=lambda item: (-item[1], str(item[0]))
                )
            ],
        )

    def _kind(self, kind: str | None) -> KindCount:
        each = {status: n for (other, status), n in self._kinds.items() if other == kind}
        return KindCount(kind=kind, planned=sum(each.values()), ok=each.get("ok", 0))


def within_reach(table: pa.Table) -> pa.Table:
    """Returns the edits whose status the bounds decide: those that are ok or out of limits."""
    ok = pc.and_(pc.equal(table["level"], "edit"), pc.equal(table["status"], "ok"))
    out = pc.equal(table["error_type"], OUT_OF_LIMITS).fill_null(False)
    return table.filter(pc.or_(ok, out))


def _counts(table: pa.Table, columns: Sequence[str]) -> dict[tuple[str | None, ...], int]:
    """Returns the number of rows of each combination of values."""
    # With threads, pyarrow may raise ArrowIndexError in a process whose pool of threads has grown.
    found = table.group_by(list(columns), use_threads=False).aggregate([([], "count_all")])
    keys = zip(*(found[name].to_pylist() for name in columns), strict=True)
    return dict(zip(keys, found["count_all"].to_pylist(), strict=True))
