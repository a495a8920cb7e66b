"""Work in a process of its own, which may die of it or hang, and is replaced at once.

A worker of the cluster takes seconds to start. Beside it stands a supervisor that has imported what
the work needs, and forks for it a process that does the work: see `supervisor`. Replacing that one
takes a few hundredths of a second, and what it builds.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

from pipelines.reliability.start_module import start_module

BUILD = None
"""The item that asks for no more than a process that is ready."""
BUILDS = 3
"""Something else may have killed the first ones."""

Make = Callable[..., Callable[[Any], Any]]


class ProcessDied(Exception):
    """The process died of an item, or while it was built."""


class DeadlineExceeded(Exception):
    """An item took too long, and its process was ended."""


class IsolatedProcess:
    """A process that builds `make(*arguments)` once and calls the result, one item at a time.

    Args:
        make: found by its name in its module.
        arguments: picklable.

    Raises:
        Exception: what `make` raised.
        ProcessDied: the process did, again and again.
    """

    def __init__(self, make: Make, arguments: Sequence[Any]) -> None:
        self.work = make, tuple(arguments)
        self._start()
        for _ in range(BUILDS):
            with suppress(ProcessDied):
                self(BUILD, 0)
                return
        raise ProcessDied(f"while it was built, {BUILDS} times")

    def __call__(self, item: Any, seconds: float) -> Any:
        """What the function returns for a picklable item.

        Raises:
            ProcessDied: the process did; the next call has another one.
            DeadlineExceeded: no answer came within so many seconds, and the process was ended.
            Exception: what the function raised.
        """
        try:
            self.pipe.send((item, seconds))
            answer, error = self.pipe.recv()
        except (EOFError, OSError):  # somebody has killed the supervisor
            self._start()
            raise ProcessDied from None
        if error is not None:
            raise error
        return answer

    def _start(self) -> None:
        self.pipe, theirs = Pipe()
        handle = theirs.fileno()
        self.supervisor = start_module("process_supervisor", str(handle), pass_fds=[handle])
        theirs.close()
        with suppress(OSError):  # killed already: the first item will find out
            self.pipe.send(self.work)
