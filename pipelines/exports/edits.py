"""The edits of a published dataset that are ok, read in order and in bounded memory."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import RunError
from pipelines.rows import Row
from pipelines.storage import Storage
from pipelines.tables.record import RECORD, SUCCESS

FOLDER = "dataset"
ROWS_AT_ONCE = 4
"""Rows that are Python objects at the same time, with their videos."""
BUFFER = 2**20
"""Bytes that are read at once of a column, which is held page by page."""
REQUIRED = ("row_id", "level", "status", "source_video", "edited_video")


class RowGroup(NamedTuple):
    """A row group of a file of the dataset."""

    file: str
    number: int
    bytes: int
    """Its size, uncompressed."""


class PublishedDataset:
    """The dataset below a run's folder, which may have been moved or copied without the run.

    Attributes:
        row_groups: in the dataset's order.
        schema: of the first file, and the columns in names of folders, which are text.
        identity: a hash of the names and footers of all files, independent of the folder's place.
            Datasets with other rows or videos have another identity.

    Args:
        output: the run's folder.

    Raises:
        RunError: there is no dataset, the run has not finished publishing, or a file cannot be read
            or lacks a column that all exports need.
    """

    def __init__(self, output: Storage) -> None:
        self.output = output
        files = output.find(FOLDER, ".parquet")
        if not files:
            raise RunError(f"{output} holds no {FOLDER}/*.parquet: name the folder of a run")
        if output.exists(RECORD) and not output.exists(SUCCESS):
            raise RunError(
                f"the dataset of {output} is not complete or has no edit that is ok: {SUCCESS} is "
                "missing; continue the run, or `strmatch publish`"
            )
        self.row_groups: list[RowGroup] = []
        folders: dict[str, str] = {}
        digest = hashlib.sha256()
        for name in files:
            footer = self._footer(name)
            if name == files[0]:
                columns = list(footer.schema.to_arrow_schema())
            folders |= partition_values(name)
            for number in range(footer.num_row_groups):
                size = footer.row_group(number).total_byte_size
                self.row_groups.append(RowGroup(name, number, size))
            stored = pa.BufferOutputStream()
            footer.write_metadata_file(stored)
            digest.update(f"{name}\n".encode() + stored.getvalue())
        self.schema = pa.schema([*columns, *((name, pa.string()) for name in folders)])
        self.identity = digest.hexdigest()[:32]

    def counts(self) -> Counter[tuple[str, str]]:
        """Returns the number of rows of the dataset by level and status."""
        found: Counter[tuple[str, str]] = Counter()
        for name in dict.fromkeys(group.file for group in self.row_groups):
            table = self.output.read_table(name, ["level", "status"])
            groups = table.group_by(["level", "status"], use_threads=False)
            for row in groups.aggregate([([], "count_all")]).to_pylist():
                found[row["level"], row["status"]] += row["count_all"]
        return found

    def edits(self, group: RowGroup, columns: Sequence[str]) -> Iterator[Row]:
        """Yields the edits of a row group that are ok, in order.

        Args:
            columns: to read. A column that is in the name of a folder is text; a column that a
                dataset of an older version lacks is null.
        """
        folders = partition_values(group.file)
        with self.output.arrow.open_input_file(self.output.path(group.file)) as file:
            parquet = pq.ParquetFile(file, buffer_size=BUFFER)
            there = [name for name in columns if name in parquet.schema_arrow.names]
            read = list(dict.fromkeys([*there, "level", "status"]))
            missing = dict.fromkeys(columns) | {n: v for n, v in folders.items() if n in columns}
            for batch in parquet.iter_batches(ROWS_AT_ONCE, [group.number], read):
                ok = pc.and_(pc.equal(batch["level"], "edit"), pc.equal(batch["status"], "ok"))
                for row in batch.filter(ok).select(there).to_pylist():
                    yield missing | row

    def _footer(self, name: str) -> pq.FileMetaData:
        try:
            with self.output.arrow.open_input_file(self.output.path(name)) as file:
                footer = pq.read_metadata(file)
        except pa.ArrowException as error:
            raise RunError(f"{self.output}/{name} cannot be read: {error}") from error
        lacking = [column for column in REQUIRED if column not in footer.schema.names]
        if lacking:
            raise RunError(f"{self.output}/{name} lacks the column {lacking[0]} of a dataset")
        return footer


def grouped(groups: Iterable[RowGroup], size: int) -> list[list[RowGroup]]:
    """Returns row groups in groups of about `size` bytes, each of one row group at least."""
    found: list[list[RowGroup]] = []
    filled = 0
    for group in groups:
        if not found or filled + group.bytes > size:
            found.append([])
            filled = 0
        found[-1].append(group)
        filled += group.bytes
    return found


def partition_values(file: str) -> dict[str, str]:
    """Returns the columns that are in the names of a file's folders: dataset/split=train/…"""
    pairs = (folder.partition("=") for folder in file.split("/")[1:-1])
    return {unquote(name): unquote(value) for name, _, value in pairs}
