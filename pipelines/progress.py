"""How much of the time the editors worked."""

import logging
import time
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipelines.rows import Row


class EditorUtilisation:
    """Collects when clips were begun and done, by the clocks of those who did them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.first, self.last = float("inf"), float("-inf")

    def add(self, row: Row) -> None:
        """Look at a clip with `began` and `ended`; one that was given up has none."""
        if row["began"] is None:
            return
        self.seconds += row["ended"] - row["began"]
        self.first, self.last = min(self.first, row["began"]), max(self.last, row["ended"])

    def fraction(self, editors: int) -> float:
        """Of the time from the first clip's begin to the last one's end, 0 to 1."""
        return self.seconds / (editors * (self.last - self.first)) if self.seconds else 0.0


log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 15


def progress(
    rows: Iterable[Row], description: str, total: int | None, done: str | None = None
) -> Iterator[Row]:
    """Pass rows on and show how far they have come.

    Args:
        description: what is being done.
        total: how much there is; None if that is not known.
        done: the column that says how much a row stands for; by default each row is one.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _with_lines(rows, description, total, done)
        return
    columns = (
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(description, total=total)
        for row in rows:
            bar.advance(task, row[done] if done else 1)
            yield row
        bar.update(task, total=bar.tasks[task].completed)


def _with_lines(
    rows: Iterable[Row], description: str, total: int | None, done: str | None
) -> Iterator[Row]:
    count, last = 0, time.monotonic()
    for row in rows:
        count += row[done] if done else 1
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            log.info("%s: %d of %s", description, count, total or "?")
            last = time.monotonic()
        yield row
    log.info("%s: %d done", description, count)
