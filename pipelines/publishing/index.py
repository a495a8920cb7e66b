"""The index of the dataset: every row that it must have, and the files that hold its parts.

The dataset has one row for every planned edit, for every clip without an edit, and for every source
without a clip. The row of an edit shows the first try within the limits, else the last try.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.config.config import Config
from pipelines.errors import RunError
from pipelines.schema import PLAN, extras_of
from pipelines.stages.rungs import Rung, rungs
from pipelines.storage import Storage
from pipelines.tables.clips import all_clips, current_clips
from pipelines.tables.full_size import full_bytes
from pipelines.tables.measures import measures_of
from pipelines.tables.plan import PLANNED_EDIT, by_clip, read_plan
from pipelines.tables.sources import read_sources

KNOWN = ["row_id", "clip_id", "status", "source_uri", "start_seconds", "found_file", "source_row"]
KNOWN += ["source_version"]

TRY = pa.struct([(name, pa.string()) for name in ("edit_id", "edit_file", "measures_file")])
"""A try of an edit, and its files. measures_file is null if the edit is not measured."""
DATASET_ITEMS = pa.schema(
    [
        ("clip_file", pa.string()),
        ("clip_row", pa.string()),
        ("source_row", pa.string()),
        ("source_prompt", pa.string()),
        *((f"{name}s", pa.list_(PLAN.field(name).type)) for name in PLANNED_EDIT),
        ("tries", pa.list_(pa.list_(TRY))),
        ("bytes", pa.float64()),
    ]
)
"""A clip or source with its edits, and the tries of each edit up to the one that the dataset shows.
Without edits, the clip or source is a row of the dataset."""


@dataclass(frozen=True)
class DatasetIndex:
    """The dataset's content, clip by clip."""

    clips: pa.Table
    """One row per clip, in the order of the sources: clip_row, clip_file, folder (Hive partition
    below the dataset), bytes of the clip and its edits, and `plan`, a row of `planned` or null."""
    planned: pa.Table
    """The table of `tables.plan.by_clip`, with the list of tries of each edit."""
    extras: pa.Schema
    """The manifest's own columns."""

    def items(self, rows: Sequence[int]) -> pa.Table:
        """Returns rows of `clips`, joined with their planned edits, as `DATASET_ITEMS`."""
        clips = self.clips.take(pa.array(rows, pa.int64()))
        theirs = self.planned.take(clips["plan"])
        columns = {name: clips[name] for name in ("clip_file", "clip_row", "source_row", "bytes")}
        columns |= {"source_prompt": theirs["source_prompt"]}
        columns |= {
            name: _no_nulls(theirs[name].combine_chunks())
            for name in (*(f"{name}s" for name in PLANNED_EDIT), "tries")
        }
        return pa.table({name: columns[name] for name in DATASET_ITEMS.names}, schema=DATASET_ITEMS)

    def row_ids(self) -> pa.Array:
        """Returns the row_ids of the dataset, in no order."""
        alone = self.clips.filter(pc.is_null(self.clips["plan"]))["clip_row"]
        edit_ids = self.planned["edit_ids"].combine_chunks().values
        return pa.concat_arrays([*alone.chunks, edit_ids])


def build_index(output: Storage, config: Config) -> DatasetIndex:
    """Find the files of every row of the dataset.

    Args:
        output: the run's folder.
        config: the run's configuration.

    Raises:
        RunError: an edit has no result, is not measured, or belongs to a missing clip. A clip is
            not stored at the size of `publish.size`. Or the manifest has no column of
            `publish.partition_by`.
    """
    folders = config.publish.partition_by
    clips, extras = _clips(output, folders)
    plan = read_plan(output)
    known = pc.is_in(plan["clip_row"], all_clips(output))
    strangers = pc.unique(plan["clip_row"].filter(pc.invert(known)))
    if len(strangers):
        raise RunError(f"the plan names {len(strangers)} clips that clips/ does not hold")
    plan = plan.filter(pc.is_in(plan["clip_row"], clips["row_id"])).combine_chunks()
    planned = by_clip(plan)
    edit_ids = planned["edit_ids"].combine_chunks()
    tries, sizes = _tries(output, config, plan, edit_ids.values)
    planned = planned.append_column("tries", pa.ListArray.from_arrays(edit_ids.offsets, tries))
    clips = _distinct(clips, plan, planned)
    place = pc.index_in(clips["row_id"], planned["clip_row"])
    if config.publish.size == "source":
        clips = _at_full_size(output, clips, pc.is_valid(place))
    weights = _with_edits(clips["bytes"], place, edit_ids.offsets.to_numpy(), sizes)
    found = {
        "clip_row": clips["row_id"],
        "clip_file": clips["file"],
        "source_row": clips["source_row"],
        "folder": pa.array(_folders(clips, folders), pa.string()),
        "bytes": weights,
        "plan": place,
    }
    return DatasetIndex(pa.table(found), planned, extras)


def _clips(output: Storage, folders: Sequence[str]) -> tuple[pa.Table, pa.Schema]:
    """Returns every row of clips/ once, with its file and its bytes, and the manifest's columns."""
    found, sources = current_clips(output, KNOWN), read_sources(output)
    if not len(found) or sources is None:
        raise RunError(f"output {output} holds no clips: annotate first")
    extras = extras_of(sources.schema)
    unknown = [folder for folder in folders if folder not in extras.names]
    if unknown:
        raise RunError(f"publish.partition_by: the manifest has no column {unknown[0]!r}")
    found = found.append_column("bytes", pa.array(_bytes(output, found)))
    for folder in folders:
        place = pc.index_in(found["source_row"], sources["source_row"])
        found = found.append_column(folder, sources[folder].take(place))
    keys = pa.table(
        {
            "source_uri": pc.fill_null(found["source_uri"], ""),
            "start_seconds": pc.fill_null(found["start_seconds"], 0.0),
            "row_id": found["row_id"],
        }
    )
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    return found.take(order), extras


def _bytes(output: Storage, clips: pa.Table) -> np.ndarray:
    """Returns each clip's share of the bytes of the files with its row and its video."""
    total = np.zeros(len(clips))
    for column in ("file", "found_file"):
        files = clips[column].combine_chunks().dictionary_encode()
        names = files.dictionary.to_pylist()
        folders = {name.rpartition("/")[0] for name in names}
        sizes = {name: n for folder in folders for name, n in output.sizes(folder).items()}
        rows = files.indices.drop_null().to_numpy()
        shares = np.array([sizes[name] for name in names]) / np.bincount(rows, minlength=len(names))
        total[files.is_valid().to_numpy(zero_copy_only=False)] += shares[rows]
    return total


def _at_full_size(output: Storage, clips: pa.Table, planned: pa.ChunkedArray) -> pa.Table:
    """Returns the clips with the bytes that each row has more at the source's size.

    The source has that size, and an edit about the same number of bytes.

    Args:
        planned: bool, whether each clip has edits.

    Raises:
        RunError: a clip with edits is not stored at that size.
    """
    sizes = pa.array(full_bytes(output, clips), pa.float64())
    missing = _count(pc.and_(planned, pc.is_null(sizes)))
    if missing:
        raise RunError(
            f"publish.size=source: {missing} clips are not stored at the source's size; the run's "
            "command stores them, and `strmatch annotate` with its input"
        )
    more = pc.multiply(pc.fill_null(sizes, 0.0), 2.0)
    column = clips.schema.get_field_index("bytes")
    return clips.set_column(column, "bytes", pc.add(clips["bytes"], more))


def _tries(
    output: Storage, config: Config, plan: pa.Table, edit_ids: pa.Array
) -> tuple[pa.Array, np.ndarray]:
    """Returns the tries of each edit as lists of `TRY`, and the bytes of the last one.

    Args:
        edit_ids: the planned edits, in the order of the result.
    """
    tables = [_tries_of(output, config, rung) for rung in rungs(output, config, plan)]
    every = pa.concat_tables(tables)
    edits = pc.index_in(every["planned"], edit_ids).to_numpy()
    order = np.argsort(edits, kind="stable")  # the tries of an edit stay in order
    every = every.take(pa.array(order)).combine_chunks()
    ends = np.append(0, np.bincount(edits, minlength=len(edit_ids)).cumsum())
    tries = pa.StructArray.from_arrays(
        [every[field.name].combine_chunks() for field in TRY], fields=[*TRY]
    )
    return (
        pa.ListArray.from_arrays(pa.array(ends, pa.int32()), tries),
        every["bytes"].to_numpy()[ends[1:] - 1],
    )


def _tries_of(output: Storage, config: Config, rung: Rung) -> pa.Table:
    """Returns the tries of a rung: `planned`, bytes and the columns of `TRY`.

    A further try counts from its measures on. First tries must all be there.
    """
    edits, ids = rung.committed(output), rung.plan["edit_id"]
    missing = len(ids) - _count(pc.is_in(ids, edits["edit_id"]))
    if missing and not rung.number:
        raise RunError(
            f"{missing} planned edits have no result; `strmatch edit` or `strmatch run` makes them"
        )
    files = pa.nulls(len(ids), pa.string())
    if config.measure.metrics:
        measured = measures_of(output, rung.plan, edits, config)
        files = measured["file"].take(pc.index_in(ids, measured["edit_id"]))
        missing = files.null_count
        if missing and not rung.number:
            raise RunError(
                f"{missing} edits are not measured; `strmatch measure` or the run's command "
                "measures them"
            )
    held = edits.take(pc.index_in(ids, edits["edit_id"]))
    columns = {"planned": rung.plan["planned"], "edit_id": ids, "edit_file": held["file"]}
    tries = pa.table(columns | {"measures_file": files, "bytes": held["bytes"]})
    return tries.filter(pc.is_valid(tries["measures_file"])) if rung.number else tries


def _count(values: pa.ChunkedArray) -> int:
    return pc.sum(values).as_py() or 0


def _distinct(clips: pa.Table, plan: pa.Table, planned: pa.Table) -> pa.Table:
    """Returns the clips without exact duplicates, whose edits all belong to another row."""
    without = pc.invert(pc.is_in(clips["row_id"], planned["clip_row"]))
    edited = pc.is_in(clips["clip_id"], plan["clip_id"])
    duplicate = pc.and_(pc.and_(without, edited), pc.equal(clips["status"], "ok"))
    return clips.filter(pc.invert(duplicate))


def _with_edits(
    clips: pa.ChunkedArray, place: pa.ChunkedArray, ends: np.ndarray, edits: np.ndarray
) -> np.ndarray:
    """Returns the bytes of each clip's rows: the clip's own in every row, and those of its edits.

    Args:
        clips: bytes of each clip.
        place: index of each clip among the planned clips; null if the clip is not planned.
        ends: offsets of the planned clips' edits.
        edits: bytes of each edit.
    """
    summed = np.append(0.0, edits.cumsum())[ends]
    # the last value is for clips without a plan
    bytes_of = np.append(np.diff(summed), 0.0)
    copies = np.append(np.diff(ends), 1)
    rows = place.fill_null(len(ends) - 1).to_numpy()
    return clips.to_numpy() * copies[rows] + bytes_of[rows]


def _no_nulls(lists: pa.ListArray) -> pa.ListArray:
    return pa.ListArray.from_arrays(lists.offsets, lists.values)


def _folders(clips: pa.Table, names: Sequence[str]) -> list[str]:
    """Returns the Hive partition of each clip, as a folder below the dataset.

    A clip without a value lies in no folder. pandas, Ray and pyarrow read the column as null there;
    of Hive's own folder for null, pandas reads nothing at all.

    Raises:
        RunError: one of several columns lacks a value.
    """
    columns = [clips[name] for name in names]
    empty = [name for name, column in zip(names, columns, strict=True) if column.null_count]
    if empty and len(names) > 1:
        raise RunError(
            f"publish.partition_by: {empty[0]} has rows without a value, which readers take only "
            "where a dataset is partitioned by one column"
        )
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return [_folder(names, values) for values in rows] if names else [""] * len(clips)


def _folder(names: Sequence[str], values: Sequence[object]) -> str:
    named = zip(names, values, strict=True)
    return "".join(f"{quote(n)}={quote(str(v), safe='')}/" for n, v in named if v is not None)
