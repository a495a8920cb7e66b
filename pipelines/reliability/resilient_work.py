"""Work in which a dying worker costs the row that it was alone with, and never a neighbour.

Ray's counters do not say which row killed a worker: tasks that waited for it lose a retry, too.
So nothing is repeated in the main pass. What has no result after it is done again: first with a
block to itself, then with nothing beside it, and then every attempt leaves a note. Only what was
alone in dying workers is given up, and what took so long that it was ended: see `deadline`. What an
edit's process dies of is known at once, see `child`, but comes here all the same: a machine that is
short of memory kills neighbours, too.
"""

import gc
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import ray.data
from ray.exceptions import RayError, RayTaskError

from pipelines import telemetry
from pipelines.config.sections import Execution
from pipelines.errors import RunError
from pipelines.reliability.attempts import give_up_reason, read_attempts
from pipelines.reliability.deadline import Deadline
from pipelines.rows import Row
from pipelines.storage import Storage

BLOCK_SECONDS = 10.0
"""Work of a block of short items. A block that is lost is done again item by item."""
PROBE_BLOCKS_OF_WORKER = 8
SHARD_BLOCKS, SHARD_BLOCKS_OF_WORKER = 2000, 100


@dataclass(frozen=True)
class PhaseWork:
    """What a phase has to do, and how. Items are rows of a table; `key` names one."""

    phase: str
    key: str
    pending: Callable[[], pa.Table]
    """Items without a committed result."""
    workers: int
    """How many blocks are worked on at once."""
    first_rows: Callable[[int], int]
    """How many of so many items make a block, as long as nobody knows how long one takes."""
    most_rows: int
    """How many items may make a block."""
    chain: Callable[[pa.Table, int, Deadline], ray.data.Dataset]
    """Items, in blocks of so many, to one row a committed file: counts; or `problem`, why it could
    not be committed. One after the other where the deadline leaves marks."""
    give_up: Callable[[Row, Row], Row]
    """Commits an item with these outcome columns, and returns what the chain would."""


def run_to_completion(work: PhaseWork, output: Storage, execution: Execution) -> Iterator[Row]:
    """Do all that is pending; yields what the chain does.

    Raises:
        RunError: results cannot be committed.
        RayError: something that is not a row's failure.
    """
    left = yield from _left(work, output, execution)
    largest, together, fruitless = work.most_rows, True, 0
    while len(left):
        deadline = Deadline(execution.deadline, output, str(time.time_ns()), isolate=not together)
        if together:
            together = False
            for items, rows in _shards(work, left, largest):
                yield from _together(work, items, rows, deadline)
                gc.collect()
                together = together or rows > 1
            largest = 1
        else:
            begun = yield from _one_by_one(work, left, deadline)
            gc.collect()
            fruitless = 0 if begun else fruitless + 1
            if fruitless == execution.attempts:
                raise RunError(f"{work.phase}: workers die before they begin; see the logs of Ray")
        left = yield from _left(work, output, execution)
        telemetry.retried(work.phase, left[work.key].to_pylist())


def _left(work: PhaseWork, output: Storage, execution: Execution) -> Generator[Row, None, pa.Table]:
    """What is pending, less what the notes give up."""
    left = work.pending()
    given_up = {
        item: reason
        for item, notes in read_attempts(output).items()
        if (reason := give_up_reason(list(notes.values()), execution)) is not None
    }
    lost = pc.is_in(left[work.key], pa.array(given_up, pa.string()))
    for row in left.filter(lost).to_pylist():
        yield work.give_up(row, given_up[row[work.key]])
    return left.filter(pc.invert(lost))


def _shards(work: PhaseWork, items: pa.Table, largest: int) -> Iterator[tuple[pa.Table, int]]:
    """Items in portions of a bounded number of blocks, each with how many of them make a block.

    The scheduler's memory grows with the blocks, and its work with them, too. Much work starts with
    a small portion that shows how long an item takes.
    """
    most_blocks = max(SHARD_BLOCKS, SHARD_BLOCKS_OF_WORKER * work.workers)
    rows, done = min(work.first_rows(len(items)), largest), 0
    while done < len(items):
        left = len(items) - done
        count = most_blocks * rows
        if left > count and not done:
            count = PROBE_BLOCKS_OF_WORKER * work.workers * rows
        started = time.monotonic()
        yield items.slice(done, count), rows
        seconds = (time.monotonic() - started) * work.workers / min(count, left)
        rows = max(1, min(largest, int(BLOCK_SECONDS / seconds)))
        done += count


# Both make their dataset in a function of its own, after which all that is left of it is collected:
# as long as it lives, if only in a reference cycle, an actor that died with the last item is
# restarted, and holds resources that the next pass waits for.


def _together(work: PhaseWork, items: pa.Table, rows: int, deadline: Deadline) -> Iterator[Row]:
    """All items; blocks whose workers died are left out."""
    with _losing_blocks():
        chain = work.chain(items, rows, deadline)
    yield from _committed(chain)


def _one_by_one(work: PhaseWork, items: pa.Table, deadline: Deadline) -> Generator[Row, None, bool]:
    """The items one after the other, up to the first whose worker dies; did any begin?"""
    try:
        yield from _committed(work.chain(items, 1, deadline))
    except RayTaskError:
        raise
    except RayError:  # the worker or its machine
        assert deadline.output
        left = set(work.pending()[work.key].to_pylist())
        begun = {
            (item, attempt): note
            for item, notes in read_attempts(deadline.output).items()
            for attempt, note in notes.items()
            if item in left and attempt.startswith(deadline.attempt)
        }
        for (item, attempt), note in begun.items():
            if not note.keys() & {"late", "died"}:
                deadline.note(item, attempt, **note, died=True)
        return bool(begun) or len(left) < len(items)
    return True


def _committed(chain: ray.data.Dataset) -> Iterator[Row]:
    for row in chain.iter_rows():
        if row["problem"] is not None:
            raise RunError(row["problem"])
        yield row


@contextmanager
def _losing_blocks() -> Iterator[None]:
    """Datasets that are made inside go on without the blocks whose workers died."""
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    try:
        yield
    finally:
        context.max_errored_blocks = 0
