"""Progress of a phase for the user, and the utilisation of the editors."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tqdm import tqdm

from pipelines.rows import Row

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 15


class EditorUtilisation:
    """Collects the times at which clips began and ended, by the clocks of the editors' machines."""

    def __init__(self) -> None:
        self.seconds = self.available = 0.0
        self.first, self.last = float("inf"), float("-inf")

    def add(self, row: Row) -> None:
        """Add a clip with `began` and `ended` in seconds. A clip that was not edited has None."""
        if row["began"] is None:
            return
        self.seconds += row["ended"] - row["began"]
        self.first, self.last = min(self.first, row["began"]), max(self.last, row["ended"])

    def pause(self, editors: int) -> None:
        """End a stretch of work. The time until the next clip begins is not available time."""
        self.available += self._stretch(editors)
        self.first, self.last = float("inf"), float("-inf")

    def fraction(self, editors: int) -> float:
        """Returns the fraction of the available time of editors in which they were busy, 0 to 1.

        Args:
            editors: number of editors since the last pause.
        """
        available = self.available + self._stretch(editors)
        return self.seconds / available if self.seconds else 0.0

    def _stretch(self, editors: int) -> float:
        return editors * max(0.0, self.last - self.first)


class DownloadBar(tqdm):
    """A bar of bytes that is shown on a terminal although the command line disables others."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"disable": None})


def progress(
    rows: Iterable[Row], description: str, total: int | None, unit: str | None = None
) -> Iterator[Row]:
    """Pass rows on and show progress: a bar on a terminal, else lines of the log.

    Args:
        description: the name of the phase.
        total: number of items; None if unknown.
        unit: the column that counts the items of a row; by default each row is one item.
    """
    console = Console(stderr=True)
    if total == 0:
        log.info("%s: nothing left to do", description)
        yield from rows
        return
    if not console.is_terminal:
        yield from _with_lines(rows, description, total, unit)
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
            bar.advance(task, row[unit] if unit else 1)
            yield row
        bar.update(task, total=bar.tasks[task].completed)


def _with_lines(
    rows: Iterable[Row], description: str, total: int | None, unit: str | None
) -> Iterator[Row]:
    count, last = 0, time.monotonic()
    for row in rows:
        count += row[unit] if unit else 1
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            log.info("%s: %d of %s", description, count, total or "?")
            last = time.monotonic()
        yield row
    log.info("%s: %d done", description, count)
