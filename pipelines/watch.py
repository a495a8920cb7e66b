"""A deadline for what is done to a row, kept from outside the interpreter lock."""

import faulthandler
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

from pipelines.storage import Storage

NOTES = "attempts"
"""The folder of notes about rows that workers died with, below a run's output."""


@dataclass(frozen=True)
class Watch:
    """Ends the whole process, wherever it hangs, when a step takes longer than `seconds`.

    The one who started the worker sees it die. A note below `output` tells which row it was.
    """

    seconds: float
    output: Storage | None = None
    attempt: str = ""
    """Names the notes of a pass."""
    marks: bool = False
    """Leave a note of every step that begins, too."""

    @contextmanager
    def __call__(self, stage: str, item: str) -> Iterator[None]:
        """Watch over one step of an item's."""
        order: dict[str, Any] = {"seconds": self.seconds}
        if self.output:
            name, note = note_name(item, self.attempt), {"stage": stage}
            if self.marks:
                self.output.write(name, json.dumps(note).encode())
            order |= {"uri": self.output.uri, "options": self.output.options, "name": name}
            order |= {"note": note | {"late": True}}
        _tell_watchdog(order)
        faulthandler.dump_traceback_later(self.seconds)  # into the worker's log
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            _tell_watchdog({"seconds": None})


def note_name(item: str, attempt: str) -> str:
    """The note of an item in a pass, below the output."""
    return f"{NOTES}/{item}/{attempt}.json"


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
    # -P: a folder called pipelines/ in the working directory is somebody else's.
    command = [sys.executable, "-P", "-m", "pipelines.watchdog", str(os.getpid())]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    assert process.stdin
    return process.stdin
