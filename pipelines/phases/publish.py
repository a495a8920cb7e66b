"""PUBLISH: reads clips, plan, edits and measures, and writes the dataset with all their rows."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate

import pyarrow as pa
import ray.data

from pipelines.config.config import Config
from pipelines.config.options import recorded_options
from pipelines.errors import RunError
from pipelines.plugins import windowed_metrics
from pipelines.publishing.index import DatasetIndex, build_index
from pipelines.rows import Row
from pipelines.schema import DATASET, with_extras, with_metrics, with_options
from pipelines.stages.write_part import MEGABYTE, WritePart
from pipelines.storage import Storage

CLIPS_PER_WRITE = 20_000
"""Clips, approximately, that one Ray dataset writes. The index of the others stays in columns."""
Part = tuple[str, list[int]]
"""A file of the dataset, and its clips as row numbers of `DatasetIndex.clips`."""


def publish(output: Storage, config: Config) -> Iterator[Row]:
    """Replace the dataset; yields one row per file, with its number of rows by status.

    Args:
        output: the run's folder.
        config: the run's configuration.

    Raises:
        RunError: rows are missing, repeated or not planned, and the dataset is removed. Or a file
            cannot be written.
    """
    expected = build_index(output, config)
    output.remove("dataset")
    # Columns are in the names of folders, if there are folders.
    folders = config.publish.partition_by if any(expected.clips["folder"].to_pylist()) else ()
    own = pa.schema([field for field in expected.extras if field.name not in folders])
    measured = with_metrics(DATASET, config.measure.metrics, windowed_metrics(config))
    schema = with_extras(measured, own)
    schema = with_options(schema, recorded_options(config))
    write = WritePart(output, schema, config)
    parts = divide(expected.clips, config.publish.file_mb * MEGABYTE)
    for some in portions(parts, CLIPS_PER_WRITE):
        for part in _written(_with_items(some, expected), write):
            if part["problem"] is not None:
                raise RunError(part["problem"])
            yield part
    reconcile(output, expected.row_ids())


def _written(parts: pa.Table, write: WritePart) -> Iterator[Row]:
    """Yields the results of `write` for every part."""
    written = (
        ray.data.from_arrow(parts).repartition(target_num_rows_per_block=1).map(write, num_cpus=1)
    )
    yield from written.iter_rows()


def divide(clips: pa.Table, size: float) -> list[Part]:
    """Divide clips among files.

    Args:
        clips: have the columns `folder` and `bytes`.
        size: target size of a file, bytes.
    """
    parts: dict[str, list[list[int]]] = defaultdict(list)
    filled: dict[str, float] = {}
    places = zip(clips["folder"].to_pylist(), clips["bytes"].to_pylist(), strict=True)
    for row, (folder, more) in enumerate(places):
        if folder not in filled or filled[folder] + more > size:
            parts[folder].append([])
            filled[folder] = 0.0
        parts[folder][-1].append(row)
        filled[folder] += more
    return [
        (f"dataset/{folder}part-{index:05d}.parquet", rows)
        for folder in sorted(parts)
        for index, rows in enumerate(parts[folder])
    ]


def portions(parts: list[Part], clips: int) -> Iterator[list[Part]]:
    """Yields the parts in order, in portions of at least `clips` clips, the last one excepted."""
    portion: list[Part] = []
    held = 0
    for part in parts:
        portion.append(part)
        held += len(part[1])
        if held >= clips:
            yield portion
            portion, held = [], 0
    if portion:
        yield portion


def _with_items(parts: list[Part], expected: DatasetIndex) -> pa.Table:
    """Returns parts as rows of `name` and `items`, each a list of `DATASET_ITEMS`."""
    ends = pa.array(accumulate((len(rows) for _, rows in parts), initial=0), pa.int32())
    items = expected.items([row for _, rows in parts for row in rows])
    lists = pa.ListArray.from_arrays(ends, items.to_struct_array().combine_chunks())
    return pa.table({"name": [name for name, _ in parts], "items": lists})


def reconcile(output: Storage, expected: pa.Array) -> None:
    """Check by id that the dataset has exactly the expected rows.

    Raises:
        RunError: the rows differ, and the dataset is removed.
    """
    names = output.find("dataset", ".parquet")
    columns = [output.read_table(name, ["row_id"])["row_id"] for name in names]
    found = pa.concat_arrays([expected[:0], *(c for column in columns for c in column.chunks)])
    if not found.sort().equals(expected.sort()):
        had, wanted = Counter(found.to_pylist()), Counter(expected.to_pylist())
        lost, extra = (wanted - had).total(), (had - wanted).total()
        output.remove("dataset")
        raise RunError(f"the dataset does not add up: {lost} rows lost, {extra} too many")
