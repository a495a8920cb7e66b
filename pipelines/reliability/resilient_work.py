"""Runs the work of a phase so that a dying worker costs one item and none of its neighbours.

Ray's counters cannot tell which item killed a worker: tasks that waited for the same worker lose a
retry, too. Therefore the first pass repeats nothing. Items without a result are processed again,
first in blocks of one item, then sequentially with a record of every attempt (see `attempts`). Only
an item that was processed alone when its worker died, or that exceeded the deadline, is committed
as a failure. The death of an edit's own process is detected at once (see `isolated_process`), and
is repeated in the same way: a machine that is short of memory kills neighbours, too.
"""

import gc
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import ray.data
from ray.exceptions import ActorUnavailableError, RayError, RayTaskError

from pipelines import telemetry
from pipelines.config.sections import Execution
from pipelines.errors import RunError
from pipelines.reliability.attempts import give_up_reason, read_attempts
from pipelines.reliability.deadline import Deadline
from pipelines.rows import Row
from pipelines.storage import Storage

BLOCK_SECONDS = 10.0
"""Target duration of a block of short items. A lost block is repeated item by item."""
PROBE_BLOCKS_PER_WORKER = 8
MIN_SHARD_BLOCKS, SHARD_BLOCKS_PER_WORKER = 2000, 100


class PhaseWork(ABC):
    """The work of one phase: items are the rows of a table, and each leads to a committed result.

    Args:
        output: the run's folder.
        execution: deadline, attempts and resources.
        workers: number of blocks that are processed at the same time.
    """

    name: str
    """The phase, in messages and metrics."""
    key: ClassVar[str]
    """The column that identifies an item."""
    max_items: ClassVar[int]
    """Maximum number of items in a block."""

    def __init__(self, output: Storage, execution: Execution, workers: int) -> None:
        self.output = output
        self.execution = execution
        self.workers = workers

    def first_block_size(self, items: int) -> int:
        """Items in a block until the duration of an item has been measured.

        Args:
            items: number of items in the pass.
        """
        return 1

    @abstractmethod
    def pending(self) -> pa.Table:
        """Returns the items without a committed result."""

    @abstractmethod
    def build(self, items: pa.Table, rows: int, deadline: Deadline) -> ray.data.Dataset:
        """Builds the Ray dataset that processes items and commits their results.

        Args:
            items: some of the pending items.
            rows: items in a block.
            deadline: bounds every item. Items are processed sequentially if `deadline.isolate`.

        Returns:
            One row per committed file: its counts, or `problem` if the commit failed.
        """

    @abstractmethod
    def commit_failure(self, item: Row, outcome: Row) -> Row:
        """Commits an item as failed, with these outcome columns; returns a row as `build` does."""


def run_to_completion(work: PhaseWork, pending: pa.Table) -> Iterator[Row]:
    """Process all pending items; yields the rows of `PhaseWork.build`.

    Args:
        work: the phase's work.
        pending: the result of `work.pending()`.

    Raises:
        RunError: results cannot be committed, or workers die before they begin an item.
        RayError: an error that is not the failure of an item.
    """
    left = yield from _commit_failures(work, pending)
    largest, together, fruitless = work.max_items, True, 0
    while len(left):
        attempt = str(time.time_ns())
        deadline = Deadline(work.execution.deadline, work.output, attempt, isolate=not together)
        if together:
            together = False
            for items, rows in shards(work, left, largest):
                yield from _together(work, items, rows, deadline)
                gc.collect()
                together = together or rows > 1
            largest = 1
        else:
            begun = yield from _one_by_one(work, left, deadline)
            gc.collect()
            fruitless = 0 if begun else fruitless + 1
            if fruitless == work.execution.attempts:
                raise RunError(f"{work.name}: workers die before they begin; see the logs of Ray")
        left = yield from _commit_failures(work, work.pending())
        telemetry.retried(work.name, left[work.key].to_pylist())


def _commit_failures(work: PhaseWork, pending: pa.Table) -> Generator[Row, None, pa.Table]:
    """Commit the items whose attempts are used up; returns the other pending items."""
    failed = {
        item: reason
        for item, attempts in read_attempts(work.output).items()
        if (reason := give_up_reason(list(attempts.values()), work.execution)) is not None
    }
    lost = pc.is_in(pending[work.key], pa.array(failed, pa.string()))
    for row in pending.filter(lost).to_pylist():
        yield work.commit_failure(row, failed[row[work.key]])
    return pending.filter(pc.invert(lost))


def shards(work: PhaseWork, items: pa.Table, largest: int) -> Iterator[tuple[pa.Table, int]]:
    """Divide items into shards with a bounded number of blocks; yields shard and block size.

    The scheduler's memory and work grow with the number of blocks. Much work starts with a small
    shard, which measures the duration of an item.

    Args:
        largest: maximum number of items in a block.
    """
    most_blocks = max(MIN_SHARD_BLOCKS, SHARD_BLOCKS_PER_WORKER * work.workers)
    rows, done = min(work.first_block_size(len(items)), largest), 0
    while done < len(items):
        left = len(items) - done
        count = most_blocks * rows
        if left > count and not done:
            count = PROBE_BLOCKS_PER_WORKER * work.workers * rows
        started = time.monotonic()
        yield items.slice(done, count), rows
        seconds = (time.monotonic() - started) * work.workers / min(count, left)
        rows = max(1, min(largest, int(BLOCK_SECONDS / seconds)))
        done += count


# Each of the next two functions builds its dataset in a frame of its own, and the caller collects
# garbage afterwards. A dataset that stays alive, if only in a reference cycle, restarts the actor
# that died with the last item, and this actor blocks resources that the next pass needs.


def _together(work: PhaseWork, items: pa.Table, rows: int, deadline: Deadline) -> Iterator[Row]:
    """Process all items; blocks whose workers died are left out.

    Ray Data ends a dataset whose worker is killed while the worker starts. The next pass processes
    the items that are left.
    """
    with _losing_blocks():
        dataset = work.build(items, rows, deadline)
    with suppress(ActorUnavailableError):
        yield from _committed(dataset)


def _one_by_one(work: PhaseWork, items: pa.Table, deadline: Deadline) -> Generator[Row, None, bool]:
    """Process items sequentially, up to the first whose worker dies.

    Returns:
        Whether the processing of any item began.
    """
    try:
        yield from _committed(work.build(items, 1, deadline))
    except RayTaskError:
        raise
    except RayError:  # the worker or its machine
        left = set(work.pending()[work.key].to_pylist())
        begun = {
            (item, attempt): record
            for item, attempts in read_attempts(work.output).items()
            for attempt, record in attempts.items()
            if item in left and attempt.startswith(deadline.attempt)
        }
        for (item, attempt), record in begun.items():
            if not record.keys() & {"late", "died"}:
                deadline.record(item, attempt, **record, died=True)
        return bool(begun) or len(left) < len(items)
    return True


def _committed(dataset: ray.data.Dataset) -> Iterator[Row]:
    for row in dataset.iter_rows():
        if row["problem"] is not None:
            raise RunError(row["problem"])
        yield row


@contextmanager
def _losing_blocks() -> Iterator[None]:
    """Datasets that are built inside the block continue without the blocks whose workers died."""
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    try:
        yield
    finally:
        context.max_errored_blocks = 0
