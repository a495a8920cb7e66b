"""The contract of a format, and the export of a dataset in a format.

An export is done part by part. Each part writes its files first and then commits its entries. When
all parts are committed, the format writes what concerns all of them, and `_SUCCESS` comes last. The
same export continues with the parts that are missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

import pyarrow as pa

from pipelines.exports.destination import Destination
from pipelines.exports.edits import PublishedDataset, RowGroup, grouped
from pipelines.rows import Row
from pipelines.storage import Storage


class Format(Protocol):
    """A format of exports."""

    @property
    def name(self) -> str:
        """As in `strmatch export NAME`."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that changes the files of an export, as JSON values."""

    @property
    def part_bytes(self) -> int:
        """Approximate size of a part, which has one row group of the dataset at least."""

    def columns(self, schema: pa.Schema) -> Sequence[str]:
        """Returns the columns that the format reads of a dataset."""

    def write_part(self, to: Storage, number: int, edits: Iterable[Row]) -> Iterator[Row]:
        """Write the files of a part; yields the part's entries, JSON objects.

        The files depend on the arguments and the settings alone, because an interrupted part is
        written again.

        Args:
            to: the destination.
            number: of the part, from 0 in the dataset's order.
            edits: that are ok, with `columns`; can be read once.
        """

    def finish(self, to: Storage, entries: Callable[[], Iterator[Row]]) -> None:
        """Write the files that concern all parts.

        Args:
            to: the destination.
            entries: yields the entries of all parts in order, at every call.
        """


def parts_of(dataset: PublishedDataset, format: Format) -> list[list[RowGroup]]:
    """Returns the parts of an export, each a list of row groups."""
    return grouped(dataset.row_groups, format.part_bytes)


def is_complete(dataset: PublishedDataset, format: Format, to: Storage) -> bool:
    """Whether a destination holds this export, complete.

    Raises:
        RunError: the destination holds something else.
    """
    return _destination(dataset, format, to).is_complete()


def export(dataset: PublishedDataset, format: Format, to: Storage) -> Iterator[Row]:
    """Export the edits of a dataset that are ok; yields a row for every part.

    Raises:
        RunError: the destination holds something else, or another process writes to it.
    """
    destination = _destination(dataset, format, to)
    if destination.is_complete():
        return
    columns, parts = format.columns(dataset.schema), parts_of(dataset, format)
    with destination.writing():
        done = destination.done()
        for number, groups in enumerate(parts):
            if number not in done:
                edits = chain.from_iterable(dataset.edits(group, columns) for group in groups)
                destination.commit(number, format.write_part(to, number, edits))
            yield {"part": number}
        format.finish(to, lambda: destination.entries(len(parts)))


def _destination(dataset: PublishedDataset, format: Format, to: Storage) -> Destination:
    return Destination(to, format.name, dataset.identity, format.settings)
