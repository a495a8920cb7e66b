"""The index of the dataset: every row that it must have, and the files that hold its parts.

The dataset has one row for every planned edit, for every clip without an edit, and for every source
without a clip.
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
from pipelines.storage import Storage
from pipelines.tables.clips import all_clips, current_clips
from pipelines.tables.edits import committed
from pipelines.tables.measures import measures_of
from pipelines.tables.plan import PLANNED_EDIT, by_clip, read_plan
from pipelines.tables.sources import read_sources

KNOWN = ["row_id", "clip_id", "status", "source_uri", "start_seconds", "found_file", "source_row"]

FILES = ("edit_file", "measures_file")
"""The files of an edit. measures_file is null if the edit is not measured."""
DATASET_ITEMS = pa.schema(
    [
        ("clip_file", pa.string()),
        ("clip_row", pa.string()),
        ("source_row", pa.string()),
        ("source_prompt", pa.string()),
        *((f"{name}s", pa.list_(PLAN.field(name).type)) for name in PLANNED_EDIT),
        *((f"{name}s", pa.list_(pa.string())) for name in FILES),
        ("bytes", pa.float64()),
    ]
)
"""A clip or source with its edits. Without edits, the clip or source is a row of the dataset."""


@dataclass(frozen=True)
class DatasetIndex:
    """The dataset's content, clip by clip."""

    clips: pa.Table
    """One row per clip, in the order of the sources: clip_row, clip_file, folder (Hive partition
    below the dataset), bytes of the clip and its edits, and `plan`, a row of `planned` or null."""
    planned: pa.Table
    """The table of `tables.plan.by_clip`, with the lists edit_files and measures_files."""
    extras: pa.Schema
    """The manifest's own columns."""

    def items(self, rows: Sequence[int]) -> pa.Table:
        """Returns rows of `clips`, joined with their planned edits, as `DATASET_ITEMS`."""
        clips = self.clips.take(pa.array(rows, pa.int64()))
        theirs = self.planned.take(clips["plan"])
        columns = {name: clips[name] for name in ("clip_file", "clip_row", "source_row", "bytes")}
        columns |= {"source_prompt": theirs["source_prompt"]}
        columns |= {
            f"{name}s": _no_nulls(theirs[f"{name}s"].combine_chunks())
            for name in (*PLANNED_EDIT, *FILES)
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
        config: `measure.metrics` and `publish.partition_by`.

    Raises:
        RunError: an edit has no result, is not measured, or belongs to a missing clip. Or the
            manifest has no column of `publish.partition_by`.
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
    edits = _edits(output, plan, config)
    edits = edits.take(pc.index_in(edit_ids.values, edits["edit_id"]))
    for name in FILES:
        lists = pa.ListArray.from_arrays(edit_ids.offsets, edits[name].combine_chunks())
        planned = planned.append_column(f"{name}s", lists)
    clips = _distinct(clips, plan, planned)
    place = pc.index_in(clips["row_id"], planned["clip_row"])
    weights = _with_edits(clips["bytes"], place, edit_ids.offsets.to_numpy(), edits["bytes"])
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


def _edits(output: Storage, plan: pa.Table, config: Config) -> pa.Table:
    """Returns every committed edit: edit_id, `FILES` and bytes."""
    edits = committed(output, plan)
    missing = pc.sum(pc.invert(pc.is_in(plan["edit_id"], edits["edit_id"]))).as_py()
    if missing:
        raise RunError(
            f"{missing} planned edits have no result; `strmatch edit` or `strmatch run` makes them"
        )
    named = edits.rename_columns({"file": "edit_file"})
    files = _measures_files(output, plan, edits, config)
    return named.append_column("measures_file", files)


def _measures_files(
    output: Storage, plan: pa.Table, edits: pa.Table, config: Config
) -> pa.ChunkedArray:
    """Returns the file of measures of every edit; nulls if there are no metrics."""
    if not config.measure.metrics:
        return pa.chunked_array([pa.nulls(len(edits), pa.string())])
    measured = measures_of(output, plan, edits, config)
    missing = pc.invert(pc.is_in(plan["edit_id"], measured["edit_id"]))
    if pc.any(missing).as_py():
        raise RunError(
            f"{pc.sum(missing).as_py()} edits are not measured; `strmatch measure` or the run's "
            "command measures them"
        )
    return measured["file"].take(pc.index_in(edits["edit_id"], measured["edit_id"]))


def _distinct(clips: pa.Table, plan: pa.Table, planned: pa.Table) -> pa.Table:
    """Returns the clips without exact duplicates, whose edits all belong to another row."""
    without = pc.invert(pc.is_in(clips["row_id"], planned["clip_row"]))
    edited = pc.is_in(clips["clip_id"], plan["clip_id"])
    duplicate = pc.and_(pc.and_(without, edited), pc.equal(clips["status"], "ok"))
    return clips.filter(pc.invert(duplicate))


def _with_edits(
    clips: pa.ChunkedArray, place: pa.ChunkedArray, ends: np.ndarray, edits: pa.ChunkedArray
) -> np.ndarray:
    """Returns the bytes of each clip's rows: the clip's own in every row, and those of its edits.

    Args:
        clips: bytes of each clip.
        place: index of each clip among the planned clips; null if the clip is not planned.
        ends: offsets of the planned clips' edits.
        edits: bytes of each edit.
    """
    summed = np.append(0.0, edits.to_numpy().cumsum())[ends]
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
