"""A deadline for what is done to a row, kept from outside the interpreter lock."""

import faulthandler
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

from pipelines.reliability.attempts import note_name
from pipelines.reliability.start_module import start_module
from pipelines.storage import Storage


@dataclass(frozen=True)
class Deadline:
    """Ends the whole process, wherever it hangs, when a step takes longer than `seconds`.

    The one who started the worker sees it die. A note below `output` tells which row it was.
    """

    seconds: float
    output: Storage | None = None
    attempt: str = ""
    """Names the notes of a pass."""
    isolate: bool = False
    """Leave a note of every step that begins, too."""

    @contextmanager
    def __call__(self, stage: str, item: str) -> Iterator[None]:
        """Bound one step of an item's."""
        order: dict[str, Any] = {"seconds": self.seconds}
        if self.output:
            if self.isolate:
                self.note(item, self.attempt, stage=stage)
            order |= {"uri": self.output.uri, "options": self.output.options}
            order |= {"name": note_name(item, self.attempt)}
            order |= {"note": {"stage": stage, "late": True}}
        _tell_watchdog(order)
        faulthandler.dump_traceback_later(self.seconds)  # into the worker's log
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            _tell_watchdog({"seconds": None})

    def note(self, item: str, attempt: str, **facts: Any) -> None:
        """Write or write again the note of an item: its `stage`, and if it was `late` or `died`."""
        assert self.output
        self.output.write(note_name(item, attempt), json.dumps(facts).encode())


def _tell_watchdog(order: dict[str, Any]) -> None:
    try:
        _send(order)
    except BrokenPipeError:  # somebody has killed it
        _watchdog.cache_clear()
        _send(order)


def _send(order: dict[str, Any]) -> None:
    pipe = _watchdog()
    pipe.write(json.dumps(order) + "\n")
    pipe.flush()


@cache
def _watchdog() -> IO[str]:
    """The pipe to this process's own watchdog; when it closes, the watchdog leaves, too."""
    process = start_module("deadline_watchdog", str(os.getpid()), stdin=subprocess.PIPE, text=True)
    assert process.stdin
    return process.stdin
