"""Work in which a dying worker costs the row that it was alone with, and never a neighbour.

Ray's counters do not say which row killed a worker: tasks that waited for it lose a retry, too.
So nothing is repeated in the main pass. What has no result after it is done again: first with a
block to itself, then with nothing beside it, and then every attempt leaves a note. Only what was
alone in dying workers is given up.
"""

import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import ray.data
from ray.exceptions import RayError, RayTaskError

from pipelines import telemetry
from pipelines.config import Execution
from pipelines.errors import RowError, RunError
from pipelines.stages.base import Row, failure
from pipelines.storage import Storage
from pipelines.watch import Watch

NOTES = "attempts"
BLOCK_SECONDS = 10.0
"""Work of a block of short items. A block that is lost is done again item by item."""
PROBE_BLOCKS_OF_WORKER = 8
SHARD_BLOCKS, SHARD_BLOCKS_OF_WORKER = 2000, 100


@dataclass(frozen=True)
class Work:
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
    chain: Callable[[pa.Table, int, Watch], ray.data.Dataset]
    """Items, in blocks of so many, to one row a committed file: counts; or `problem`, why it could
    not be committed."""
    give_up: Callable[[Row, Row], Row]
    """Commits an item with these outcome columns, and returns what the chain would."""


def carry_out(work: Work, output: Storage, execution: Execution) -> Iterator[Row]:
    """Do all that is pending; yields what the chain does.

    Raises:
        RunError: results cannot be committed.
        RayError: something that is not a row's failure.
    """
    left, largest, together = work.pending(), work.most_rows, True
    while together and len(left):
        together = False
        for items, rows in _shards(work, left, largest):
            yield from _together(work, items, rows, execution)
            gc.collect()
            together = together or rows > 1
        left, largest = work.pending(), 1
        telemetry.retried(work.phase, left[work.key].to_pylist())
    for index in range(len(left)):
        yield from _alone(work, left.slice(index, 1), output, execution)


def _shards(work: Work, items: pa.Table, largest: int) -> Iterator[tuple[pa.Table, int]]:
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


def _together(work: Work, items: pa.Table, rows: int, execution: Execution) -> Iterator[Row]:
    """All items; blocks whose workers died are left out.

    The dataset lives no longer than this function, and what is left of it in reference cycles has
    to be collected: as long as it lives, an actor that died with the last item is restarted, and
    holds resources that the next pass waits for.
    """
    with _losing_blocks():
        chain = work.chain(items, rows, Watch(execution.deadline))
    yield from _committed(chain)


def _alone(work: Work, item: pa.Table, output: Storage, execution: Execution) -> Iterator[Row]:
    (row,) = item.to_pylist()
    folder = f"{NOTES}/{row[work.key]}"
    while True:
        earlier = [json.loads(output.read(name)) for name in output.files(folder, ".json")]
        deaths = [note for note in earlier if note.get("died")]
        if len(deaths) >= execution.attempts or any(note["late"] for note in deaths):
            yield work.give_up(row, _reason(deaths, work.phase, execution))
            return
        name = f"{folder}/{len(earlier):03d}.json"
        try:
            yield from _committed(work.chain(item, 1, Watch(execution.deadline, output, name)))
            return
        except RayTaskError:
            raise
        except RayError:  # the worker or its machine
            note: dict[str, Any] = {"stage": work.phase, "began": time.time()}
            if output.exists(name):
                note = json.loads(output.read(name))
            late = time.time() - note["began"] >= execution.deadline
            output.write(name, json.dumps(note | {"died": True, "late": late}).encode())


def _committed(chain: ray.data.Dataset) -> Iterator[Row]:
    for row in chain.iter_rows():
        if row["problem"] is not None:
            raise RunError(row["problem"])
        yield row


def _reason(deaths: list[dict[str, Any]], phase: str, execution: Execution) -> Row:
    stage = deaths[-1]["stage"]
    if deaths[-1]["late"]:
        error = RowError(
            "Deadline",
            f"took longer than {execution.deadline:g} s, execution.deadline, and was ended",
        )
    else:
        error = RowError(
            "WorkerDied",
            f"was alone in {len(deaths)} workers that died (a crash, or out of memory)",
        )
    return failure(stage, error)


@contextmanager
def _losing_blocks() -> Iterator[None]:
    """Datasets that are made inside go on without the blocks whose workers died."""
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    try:
        yield
    finally:
        context.max_errored_blocks = 0
