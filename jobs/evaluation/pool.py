"""A pool of single-threaded processes that each hold one examiner."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch

Task = tuple[str, tuple[Any, ...]]
"""The name of a method of the examiner, and its arguments."""


def default_processes() -> int:
    """Returns 1 on a GPU, else the number of cores."""
    return 1 if torch.cuda.is_available() else os.cpu_count() or 1


class Pool:
    """A context manager of processes that each hold the result of `make`, such as an examiner.

    Processes are single-threaded, so that results do not depend on their number.
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
        """Yields the result of each task, in order."""
        for future in [self.executor.submit(_call, *task) for task in tasks]:
            yield future.result()


_made: Any  # the examiner of this process


def _start(make: Callable[[], Any]) -> None:
    global _made
    torch.set_num_threads(1)
    _made = make()


def _call(name: str, arguments: tuple[Any, ...]) -> Any:
    return getattr(_made, name)(*arguments)
