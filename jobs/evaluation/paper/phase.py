"""The suite's work on Ray Data: an item is a case with all its attempts, committed as one file."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import ray.data

from jobs.evaluation.paper.cases import draw_case
from jobs.evaluation.paper.examiner import METRICS, PaperExaminer
from jobs.evaluation.paper.methods import Attempt
from pipelines.cluster import allocate, pool_options
from pipelines.config.sections import Execution
from pipelines.ids import content_id
from pipelines.reliability.deadline import Deadline
from pipelines.reliability.resilient_work import PhaseWork, run_to_completion
from pipelines.rows import Row, failure
from pipelines.schema import OUTCOME, rows_table
from pipelines.storage import Storage
from pipelines.tables.commit import commit
from strmatch.miniature.splits import Split

ATTEMPTS = pa.list_(
    pa.struct([("name", pa.string()), ("method", pa.string()), ("strength", pa.float64())])
)
CASE_ITEMS = pa.schema(
    [
        ("item", pa.string()),
        ("split", pa.string()),
        ("seed", pa.int64()),
        ("index", pa.int64()),
        ("attempts", ATTEMPTS),
    ]
)
RESULTS = pa.schema(
    [
        ("item", pa.string()),
        ("index", pa.int64()),
        ("kind", pa.string()),
        ("attempt", pa.string()),
        *((name, pa.string()) for name in OUTCOME),
        *((name, pa.float64()) for name in METRICS),
    ]
)
"""A result: one row per attempt, or one row for a case that failed."""


@dataclass(frozen=True)
class Part:
    """Cases of one list, all with the same attempts."""

    split: Split
    seed: int
    clips: int
    attempts: Sequence[Attempt]
    revision: str
    """Revision of the weights."""
    steps: int | None = None
    """Denoising steps of every edit; by default those of the preset."""

    def items(self) -> pa.Table:
        """Returns one row of `CASE_ITEMS` per case."""
        attempts = [asdict(attempt) for attempt in self.attempts]
        of_all = {"split": self.split, "seed": self.seed, "attempts": attempts}
        named = of_all | {"revision": self.revision, "steps": self.steps}
        rows = [
            of_all | {"index": index, "item": content_id(index=index, **named)}
            for index in range(self.clips)
        ]
        return rows_table(rows, CASE_ITEMS)


class ExamineWork(PhaseWork):
    """The cases of a part that have no committed result. An item is a case.

    Args:
        part: the cases and their attempts.
        weights: folder or fsspec URI of the model.
        output: results are committed to its folder results/.
        execution: deadline, attempts and number of workers.
    """

    name = "evaluate"
    key: ClassVar[str] = "item"
    max_items: ClassVar[int] = 1

    def __init__(self, part: Part, weights: str, output: Storage, execution: Execution) -> None:
        super().__init__(output, execution, allocate(execution, part.clips).workers)
        self.items = part.items()
        self.weights = weights
        self.steps = part.steps

    def pending(self) -> pa.Table:
        return _pending(self.items, self.output)

    def build(self, items: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        pool = allocate(self.execution, 1 if deadline.isolate else len(items))
        return (
            ray.data.from_arrow(items)
            .repartition(target_num_rows_per_block=rows)
            .map(
                ExamineCase,
                fn_constructor_args=(
                    self.weights,
                    pool.threads,
                    self.steps,
                    self.output,
                    deadline,
                ),
                **pool_options(pool, len(items), deadline.isolate),
            )
        )

    def commit_failure(self, item: Row, outcome: Row) -> Row:
        return _commit(self.output, item, [dict(outcome)])


def examine(part: Part, weights: str, output: Storage, execution: Execution) -> Iterator[Row]:
    """Examine the cases that have no committed result; yields one row per case."""
    work = ExamineWork(part, weights, output, execution)
    yield from run_to_completion(work, work.pending())


def results(part: Part, output: Storage) -> list[Row]:
    """Returns all rows of `RESULTS` of a completed part, in the order of its cases."""
    names = [_file(item) for item in part.items()["item"].to_pylist()]
    return [row for name in names for row in output.read_table(name).to_pylist()]


def done(part: Part, output: Storage) -> int:
    """Returns the number of cases with a committed result."""
    items = part.items()
    return len(items) - len(_pending(items, output))


class ExamineCase:
    """Examines a case, and commits the results as one file."""

    def __init__(
        self, weights: str, threads: int, steps: int | None, output: Storage, deadline: Deadline
    ) -> None:
        self.examiner = PaperExaminer(weights, threads, steps)
        self.output = output
        self.deadline = deadline

    def __call__(self, item: Row) -> Row:
        case = draw_case(item["index"], item["split"], item["seed"])
        attempts = [Attempt(**attempt) for attempt in item["attempts"]]
        rows: list[dict[str, Any]]
        try:
            with self.deadline("evaluate", item["item"]):
                rows = [row | {"status": "ok"} for row in self.examiner(case, attempts)]
        except Exception as error:
            rows = [failure("evaluate", error)]
        return _commit(self.output, item, [row | {"kind": case.kind} for row in rows])


def _pending(items: pa.Table, output: Storage) -> pa.Table:
    files = pa.array([_file(item) for item in items["item"].to_pylist()], pa.string())
    there = pa.array(output.files("results", ".parquet"), pa.string())
    return items.filter(pc.invert(pc.is_in(files, there)))


def _commit(output: Storage, item: Row, rows: list[Row]) -> Row:
    named = [row | {"item": item["item"], "index": item["index"]} for row in rows]
    return commit(output, _file(item["item"]), rows_table(named, RESULTS), "item")


def _file(item: str) -> str:
    return f"results/{item}.parquet"
