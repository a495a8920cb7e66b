"""Work in a process of its own, which may crash or hang, and is replaced at once.

A worker of the cluster takes seconds to start. A supervisor beside the worker has imported the
modules that the work needs, and forks a process that does the work: see `process_supervisor`. A
replacement takes a few hundredths of a second, besides the construction of its model.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

from pipelines.reliability.start_module import start_module

BUILD = None
"""The item for which a process is built and nothing else is done."""
BUILDS = 3
"""Attempts to build a process: an unrelated cause may have killed the first ones."""

Make = Callable[..., Callable[[Any], Any]]


class ProcessDied(Exception):
    """The process died while it processed an item, or while it was built."""


class DeadlineExceeded(Exception):
    """An item exceeded its timeout, and its process was killed."""


class IsolatedProcess:
    """A process that builds `make(*arguments)` once and calls the result, one item at a time.

    Args:
        make: a class or function that can be imported by its name.
        arguments: picklable arguments of `make`.

    Raises:
        Exception: the exception that `make` raised.
        ProcessDied: the process died in each of `BUILDS` attempts.
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
        """Returns the result of the function for a picklable item.

        Args:
            seconds: timeout.

        Raises:
            ProcessDied: the process died. The next call starts another one.
            DeadlineExceeded: the timeout expired, and the process was killed.
            Exception: the exception that the function raised.
        """
        try:
            self.pipe.send((item, seconds))
            answer, error = self.pipe.recv()
        except (EOFError, OSError):  # the supervisor was killed
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
        with suppress(OSError):  # killed already: the first item raises ProcessDied
            self.pipe.send(self.work)
