"""Edits as rows of a table that grows: without the videos, with the addresses of their files.

A dataset is appended in one commit, and only if the table has none of its rows. The column
`dataset_id` tells which dataset a row came with, so that a repeated export adds nothing.
"""

import json
from collections.abc import Iterator
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import ray.data

from pipelines.errors import RunError
from pipelines.exports.base import export
from pipelines.exports.destination import RECORD
from pipelines.exports.edits import PublishedDataset, RowGroup, partition_values
from pipelines.exports.pairs import Pairs
from pipelines.exports.videofolder import VideoFolder
from pipelines.exports.videos import file_names
from pipelines.rows import Row
from pipelines.schema import MEANING, VIDEOS
from pipelines.storage import Storage
from pipelines.tables.record import SUCCESS

GROUPS_PER_TASK = 16
"""Row groups of the dataset that a task reads, one after another."""
DATASET_ID = pa.field(
    "dataset_id", pa.string(), metadata={MEANING: "names the dataset that the row came with"}
)
ADDED = [
    pa.field("source_video_uri", pa.string(), metadata={MEANING: "MP4 file: the clip before"}),
    pa.field("edited_video_uri", pa.string(), metadata={MEANING: "MP4 file: the clip after"}),
    DATASET_ID,
]
"""The columns that take the place of the videos."""


class Table(Protocol):
    """A table that datasets are appended to. Every method sees the newest version."""

    @property
    def name(self) -> str:
        """Names the table in messages."""

    def prepare(self, schema: pa.Schema) -> pa.Schema:
        """Create the table if there is none, with the columns of `schema`.

        Returns:
            the schema that rows are to have.

        Raises:
            RunError: the table exists and was made by another program.
        """

    def rows(self, dataset_id: str | None = None) -> Iterator[pa.RecordBatch]:
        """Yields row_id and dataset_id of the rows of a dataset, or of all rows."""

    def append(self, rows: ray.data.Dataset, schema: pa.Schema, dataset_id: str) -> None:
        """Append rows in one commit."""


def write_videos(dataset: PublishedDataset, videos: Storage) -> Iterator[Row]:
    """Write the files that rows point to, if they are not there; yields a row for every part.

    Args:
        videos: a complete export of the dataset as pairs or as a folder of videos, or an empty
            folder, which becomes an export as pairs.

    Raises:
        RunError: the folder holds something else, or another process writes to it.
    """
    if videos.exists(RECORD) and videos.exists(SUCCESS):
        held = json.loads(videos.read(RECORD))
        formats = (Pairs.name, VideoFolder.name)
        if held["format"] in formats and held["dataset"] == dataset.identity:
            return
    yield from export(dataset, Pairs(), videos)


def lacks(dataset: PublishedDataset, table: Table) -> bool:
    """Whether a table, which is made if there is none, lacks the edits of a dataset.

    Raises:
        RunError: the table holds rows of an earlier state of the dataset, or is not ours; or a
            column of the manifest has a name of `ADDED`.
    """
    table.prepare(described(dataset.schema))
    if next(table.rows(dataset.identity), None) is not None:
        return False
    _refuse_known_rows(dataset, table)
    return True


def append(dataset: PublishedDataset, videos: Storage, table: Table) -> None:
    """Append the edits that are ok to a table that lacks them.

    Args:
        videos: the folder that `write_videos` wrote.
    """
    schema = table.prepare(described(dataset.schema))
    table.append(_rows(dataset, videos, schema), schema, dataset.identity)


def described(schema: pa.Schema) -> pa.Schema:
    """Returns the columns of a table for a dataset's schema.

    Raises:
        RunError: see `lacks`.
    """
    kept = [field for field in schema if field.name not in VIDEOS]
    for field in ADDED:
        if field.name in schema.names:
            raise RunError(
                f"the dataset has a column {field.name} of the manifest, which the table needs: "
                "rename the column in the manifest"
            )
    return pa.schema([*kept, *ADDED])


def _refuse_known_rows(dataset: PublishedDataset, table: Table) -> None:
    names = dict.fromkeys(group.file for group in dataset.row_groups)
    ok = [("level", "=", "edit"), ("status", "=", "ok")]
    read = [dataset.output.read_table(name, ["row_id"], ok)["row_id"] for name in names]
    ids = pa.concat_arrays([chunk for column in read for chunk in column.chunks])
    for batch in table.rows():
        known = pc.is_in(batch["row_id"].cast(ids.type), value_set=ids)
        if pc.any(known).as_py():
            earlier = batch.filter(known)["dataset_id"][0]
            raise RunError(
                f"{table.name} holds rows of an earlier state of this dataset: delete those with "
                f"dataset_id {earlier}, or name another table"
            )


def _rows(dataset: PublishedDataset, videos: Storage, schema: pa.Schema) -> ray.data.Dataset:
    groups = pa.Table.from_pylist([group._asdict() for group in dataset.row_groups])
    describe = _DescribeGroups(dataset, videos, schema)
    return (
        ray.data.from_arrow(groups)
        .repartition(target_num_rows_per_block=GROUPS_PER_TASK)
        .map_batches(describe, batch_size=None, batch_format="pyarrow", num_cpus=1)
    )


class _DescribeGroups:
    """Reads row groups, and returns the rows of a table."""

    def __init__(self, dataset: PublishedDataset, videos: Storage, schema: pa.Schema) -> None:
        self.dataset = dataset
        self.videos = videos
        self.schema = schema

    def __call__(self, groups: pa.Table) -> pa.Table:
        tables = [self._described(RowGroup(**group)) for group in groups.to_pylist()]
        return pa.concat_tables(tables).combine_chunks()

    def _described(self, group: RowGroup) -> pa.Table:
        output = self.dataset.output
        with output.arrow.open_input_file(output.path(group.file)) as file:
            parquet = pq.ParquetFile(file)
            there = [name for name in parquet.schema_arrow.names if name not in VIDEOS]
            table = parquet.read_row_group(group.number, there)
        ok = pc.and_(pc.equal(table["level"], "edit"), pc.equal(table["status"], "ok"))
        table = table.filter(ok)
        columns: dict[str, Any] = {name: table[name] for name in there}
        constant = partition_values(group.file) | {DATASET_ID.name: self.dataset.identity}
        columns |= {name: pa.repeat(value, len(table)) for name, value in constant.items()}
        columns |= self._addresses(group)
        return pa.table(
            [
                # Not safe: times may lose their nanoseconds.
                columns[field.name].cast(field.type, safe=False)
                if field.name in columns
                else pa.nulls(len(table), field.type)
                for field in self.schema
            ],
            schema=self.schema,
        )

    def _addresses(self, group: RowGroup) -> dict[str, pa.Array]:
        edits = self.dataset.edits(group, ["row_id", "source_video"])
        files = [file_names(row) for row in edits]
        folder = self.videos.uri.rstrip("/")
        names = ("source_video_uri", "edited_video_uri")
        return {
            name: pa.array([f"{folder}/{each[place]}" for each in files], pa.string())
            for place, name in enumerate(names)
        }
