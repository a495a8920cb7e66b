import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch

Task = tuple[str, tuple[Any, ...]]
"""A method of what a process holds, and its arguments."""


def default_processes() -> int:
    """One on a GPU, else one a core."""
    return 1 if torch.cuda.is_available() else os.cpu_count() or 1


class Pool:
    """Processes that each hold what `make` makes, such as an `Examiner`. A context manager.

    They are single-threaded, so that outcomes do not depend on how many there are.
    """

    def __init__(self, make: Callable[[], Any], processes: int) -> None:
        self.executor = ProcessPoolExecutor(
            processes,
            multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(make,),
        )

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.shutdown(cancel_futures=True)

    def run(self, tasks: list[Task]) -> Iterator[Any]:
        """What each task gives, in their order."""
        for future in [self.executor.submit(_call, *task) for task in tasks]:
            yield future.result()


_made: Any  # of a process of the pool


def _start(make: Callable[[], Any]) -> None:
    global _made
    torch.set_num_threads(1)
    _made = make()


def _call(name: str, arguments: tuple[Any, ...]) -> Any:
    return getattr(_made, name)(*arguments)
