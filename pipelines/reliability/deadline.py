"""A deadline for the processing of a row, enforced from outside the interpreter lock.

Annotation and measurement run in Ray's own workers, which a watchdog process kills on timeout. A
watchdog starts in 0.05 s. A process of its own for the work, as editing has (`isolated_process`),
costs seconds of imports and some 150 MB in every worker of the cluster.
"""

import faulthandler
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

from pipelines.reliability.attempts import attempt_file
from pipelines.reliability.start_module import start_module
from pipelines.storage import Storage

Bound = Callable[..., AbstractContextManager[None]]
"""Bounds the duration of a step of an item, with the arguments of `Deadline.__call__`."""


def unbounded(stage: str, item: str, windows: float = 1) -> AbstractContextManager[None]:
    """Bounds nothing: the process that takes the step has a timeout, see `isolated_process`."""
    return nullcontext()


@dataclass(frozen=True)
class Deadline:
    """Kills the whole process, wherever it hangs, if a step takes longer than allowed.

    The driver observes the worker's death. An attempt record below `output` identifies the row.
    """

    seconds: float
    """Timeout of a step that processes one window of a clip."""
    output: Storage | None = None
    """Where attempt records are written. None: nowhere."""
    attempt: str = ""
    """Name of the pass, in the names of its attempt records."""
    isolate: bool = False
    """Process items sequentially, and write an attempt record before every step."""

    @contextmanager
    def __call__(self, stage: str, item: str, windows: float = 1) -> Iterator[None]:
        """Bounds the duration of one step of an item.

        Args:
            windows: length of the item's clip, by which the timeout is multiplied.
        """
        seconds = self.seconds * windows
        order: dict[str, Any] = {"seconds": seconds}
        if self.output:
            if self.isolate:
                self.record(item, self.attempt, stage=stage)
            order |= {"uri": self.output.uri, "options": self.output.options}
            order |= {"name": attempt_file(item, self.attempt)}
            order |= {"record": {"stage": stage, "late": True}}
        _order_watchdog(order)
        faulthandler.dump_traceback_later(seconds)  # into the worker's log
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            _order_watchdog({"seconds": None})

    def record(self, item: str, attempt: str, **facts: Any) -> None:
        """Create or overwrite an attempt record: `stage`, and `late` or `died` where true."""
        if self.output:
            self.output.write(attempt_file(item, attempt), json.dumps(facts).encode())


def _order_watchdog(order: dict[str, Any]) -> None:
    try:
        _send(order)
    except BrokenPipeError:  # the watchdog was killed
        _watchdog.cache_clear()
        _send(order)


def _send(order: dict[str, Any]) -> None:
    pipe = _watchdog()
    pipe.write(json.dumps(order) + "\n")
    pipe.flush()


@cache
def _watchdog() -> IO[str]:
    """Returns the pipe to this process's watchdog, which exits when the pipe closes."""
    process = start_module("deadline_watchdog", str(os.getpid()), stdin=subprocess.PIPE, text=True)
    assert process.stdin
    return process.stdin
