"""Rows in a process of its own, by which a crash or a timeout fails one row.

A run repeats what a dead worker lost (`reliability.resilient_work`). A dataset of Ray Data has no
such driver: here the worker outlives the process that does its work.
"""

from functools import cache
from typing import Any

from pipelines.config.sections import Execution
from pipelines.reliability.attempts import deadline_exceeded, worker_died
from pipelines.reliability.isolated_process import (
    DeadlineExceeded,
    IsolatedProcess,
    Make,
    ProcessDied,
)


class Isolated:
    """Calls the function `make(*arguments)` in a process that this worker keeps for later tasks.

    Args:
        make: a class or function that can be imported by its name.
        arguments: picklable and hashable.
        execution: timeout of an item, and attempts after which an item has failed.
    """

    def __init__(self, make: Make, arguments: tuple[Any, ...], execution: Execution) -> None:
        self.work = make, arguments
        self.execution = execution

    def __call__(self, item: Any, windows: float = 1.0) -> Any:
        """Returns the result of the function for an item.

        Args:
            windows: length of the item's clip, by which the timeout is multiplied.

        Raises:
            RowError: `Deadline`, or `WorkerDied` in each of `execution.attempts` processes.
            Exception: what `make` or the function raised.
        """
        process = _process(*self.work)
        for _ in range(self.execution.attempts):
            try:
                return process(item, self.execution.deadline * windows)
            except DeadlineExceeded:
                raise deadline_exceeded(self.execution) from None
            except ProcessDied:
                continue
        raise worker_died(self.execution.attempts)


@cache
def _process(make: Make, arguments: tuple[Any, ...]) -> IsolatedProcess:
    return IsolatedProcess(make, arguments)
