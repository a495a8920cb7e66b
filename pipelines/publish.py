"""PUBLISH: clips, plan, edits and measures in; the dataset out, with every row accounted for."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray.data

from pipelines.clips import with_videos
from pipelines.config import Config
from pipelines.edit import committed
from pipelines.errors import RunError
from pipelines.limits import judge
from pipelines.measure import measures_of
from pipelines.plan import OF_AN_EDIT, by_clip, read_plan
from pipelines.schema import (
    DATASET,
    PLAN,
    STATUSES,
    extras_of,
    rows_table,
    unique,
    with_extras,
    with_metrics,
)
from pipelines.sections import Bounds
from pipelines.stages.base import Row
from pipelines.storage import Storage
from pipelines.version import PACKAGE_VERSION

ACCOUNTED = ["row_id", "clip_id", "status", "source_uri", "start_seconds", "found_file"]
MEGABYTE = 2**20
ROW_GROUP = 32 * MEGABYTE
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def publish(output: Storage, config: Config) -> Iterator[Row]:
    """Write the dataset anew; yields one row a file, with its rows by status.

    Raises:
        RunError: rows are missing, doubled or unplanned, and nothing stays published; or a file
            cannot be written.
    """
    folders = config.publish.partition_by
    items, extras = account(output, config)
    output.remove("dataset")
    own = pa.schema([field for field in extras if field.name not in folders])
    schema = with_extras(with_metrics(DATASET, config.measure.metrics), own)
    written = (
        ray.data.from_arrow(divide(items, config.publish.file_mb * MEGABYTE))
        .repartition(target_num_rows_per_block=1)
        .map(WritePart(output, schema, config.publish.limits), num_cpus=1)
    )
    for part in written.iter_rows():
        if part["problem"] is not None:
            raise RunError(part["problem"])
        yield part
    reconcile(output, items)


ITEMS = pa.schema(
    [
        ("clip_file", pa.string()),
        ("clip_row", pa.string()),
        ("source_prompt", pa.string()),
        *((f"{name}s", pa.list_(PLAN.field(name).type)) for name in OF_AN_EDIT),
        ("edit_files", pa.list_(pa.string())),
        ("measures_files", pa.list_(pa.string())),  # null: not measured
        ("folder", pa.string()),
        ("bytes", pa.float64()),
    ]
)
"""A clip or source with its edits; without edits it is a row of the dataset itself."""


def account(output: Storage, config: Config) -> tuple[pa.Table, pa.Schema]:
    """Find the place of every row of the dataset.

    The dataset has a row for every planned edit, for every clip without an edit and for every
    source without a clip.

    Returns:
        A table of `ITEMS`, in the order of the sources, and the manifest's own columns.

    Raises:
        RunError: an edit has no result or is not measured, or belongs to a clip that is not there;
            the manifest has no column that shall name folders.
    """
    folders = config.publish.partition_by
    clips, extras = _clips(output, folders)
    plan = read_plan(output)
    planned = by_clip(plan)
    edits = committed(output, plan)
    missing = plan.filter(pc.invert(pc.is_in(plan["edit_id"], edits["edit_id"])))
    if len(missing):
        raise RunError(f"{len(missing)} planned edits have no result; the same command makes them")
    strangers = planned.filter(pc.invert(pc.is_in(planned["clip_row"], clips["row_id"])))
    if len(strangers):
        raise RunError(f"the plan names {len(strangers)} clips that clips/ does not hold")
    edits = edits.rename_columns({"file": "edit_file"}).append_column(
        "measures_file", _measures_files(output, plan, edits, config)
    )
    items = _items(_distinct(clips, plan, planned), planned, edits, folders)
    return items, extras


def _measures_files(
    output: Storage, plan: pa.Table, edits: pa.Table, config: Config
) -> pa.ChunkedArray:
    """The file of measures of every edit; nulls where nothing is to be measured."""
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
    """The clips less exact duplicates, all edits of which are another row's."""
    without = pc.invert(pc.is_in(clips["row_id"], planned["clip_row"]))
    edited = pc.is_in(clips["clip_id"], plan["clip_id"])
    duplicate = pc.and_(pc.and_(without, edited), pc.equal(clips["status"], "ok"))
    return clips.filter(pc.invert(duplicate))


def _items(clips: pa.Table, planned: pa.Table, edits: pa.Table, folders: Sequence[str]) -> pa.Table:
    """One of `ITEMS` a clip: its edits with their files, and the bytes of it all."""
    theirs = planned.take(pc.index_in(clips["row_id"], planned["clip_row"]))
    lists = {f"{name}s": _no_nulls(theirs[f"{name}s"].combine_chunks()) for name in OF_AN_EDIT}
    ends = lists["edit_ids"].offsets
    held = edits.take(pc.index_in(lists["edit_ids"].values, edits["edit_id"]))
    summed = np.append(0.0, held["bytes"].to_numpy().cumsum())[ends.to_numpy()]
    copies = np.diff(ends.to_numpy()).clip(min=1)
    columns = {"clip_file": clips["file"], "clip_row": clips["row_id"]}
    columns |= {"source_prompt": theirs["source_prompt"], "folder": _folders(clips, folders)}
    columns |= lists
    columns |= {
        f"{name}s": pa.ListArray.from_arrays(ends, held[name].combine_chunks())
        for name in ("edit_file", "measures_file")
    }
    columns |= {"bytes": clips["bytes"].to_numpy() * copies + np.diff(summed)}
    return pa.table({name: columns[name] for name in ITEMS.names}, schema=ITEMS)


def _no_nulls(lists: pa.ListArray) -> pa.ListArray:
    return pa.ListArray.from_arrays(lists.offsets, lists.values)


def _clips(output: Storage, folders: Sequence[str]) -> tuple[pa.Table, pa.Schema]:
    """Every row of clips/ once, with its file and its share of files' bytes, in order."""
    schemas = [extras_of(output.read_schema(n)) for n in output.files("clips", ".parquet")]
    unknown = [folder for folder in folders if any(folder not in s.names for s in schemas)]
    if unknown:
        raise RunError(f"publish.partition_by: the manifest has no column {unknown[0]!r}")
    found = output.read_folder("clips", [*ACCOUNTED, *folders])
    if found is None:
        raise RunError(f"output {output} holds no clips: annotate first")
    found = found.append_column("bytes", pa.array(_bytes(output, found)))
    found = unique(found, "row_id")
    keys = pa.table(
        {
            "source_uri": pc.fill_null(found["source_uri"], ""),
            "start_seconds": pc.fill_null(found["start_seconds"], 0.0),
            "row_id": found["row_id"],
        }
    )
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    return found.take(order), pa.unify_schemas(schemas)


def _bytes(output: Storage, clips: pa.Table) -> np.ndarray:
    """Each clip's share of the files that hold its row and its video."""
    total = np.zeros(len(clips))
    for column in ("file", "found_file"):
        names = clips[column].to_pylist()
        rows = Counter(names)
        folders = {name.rpartition("/")[0] for name in rows if name}
        sizes = {name: n for folder in folders for name, n in output.sizes(folder).items()}
        total += [sizes[name] / rows[name] if name else 0.0 for name in names]
    return total


def _folders(clips: pa.Table, names: Sequence[str]) -> list[str]:
    """Hive's folders, below the dataset's."""
    columns = [clips[name].to_pylist() for name in names]
    return [
        "".join(f"{quote(n)}={_value(v)}/" for n, v in zip(names, values, strict=True))
        for values in (zip(*columns, strict=True) if columns else [()] * len(clips))
    ]


def _value(value: object) -> str:
    return NO_VALUE if value is None else quote(str(value), safe="")


def divide(items: pa.Table, size: float) -> pa.Table:
    """Items to files of about `size` bytes each: rows of `name` and `items`."""
    parts: dict[str, list[list[int]]] = defaultdict(list)
    filled: dict[str, float] = {}
    places = zip(items["folder"].to_pylist(), items["bytes"].to_pylist(), strict=True)
    for row, (folder, more) in enumerate(places):
        if folder not in filled or filled[folder] + more > size:
            parts[folder].append([])
            filled[folder] = 0.0
        parts[folder][-1].append(row)
        filled[folder] += more
    names, rows, ends = [], [], [0]
    for folder in sorted(parts):
        for index, part in enumerate(parts[folder]):
            names.append(f"dataset/{folder}part-{index:05d}.parquet")
            rows += part
            ends.append(len(rows))
    ordered = items.take(pa.array(rows, pa.int64())).to_struct_array().combine_chunks()
    lists = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), ordered)
    return pa.table({"name": pa.array(names, pa.string()), "items": lists})


class WritePart:
    """Assembles the rows of one dataset file and commits it."""

    def __init__(self, output: Storage, schema: pa.Schema, limits: Mapping[str, Bounds]) -> None:
        self.output = output
        self.schema = schema
        self.limits = dict(limits)

    def __call__(self, part: Row) -> Row:
        items = part["items"]
        clips = self._read("row_id", [(item["clip_file"], item["clip_row"]) for item in items])
        clips = {row["row_id"]: row for row in with_videos(self.output, [*clips.values()])}
        edits, measures = (
            self._read(
                "edit_id",
                [
                    place
                    for item in items
                    for place in zip(item[files], item["edit_ids"], strict=True)
                ],
            )
            for files in ("edit_files", "measures_files")
        )
        for edit_id, measured in measures.items():
            edits[edit_id] |= judge(measured, self.limits)
        rows = [row for item in items for row in _rows(item, clips[item["clip_row"]], edits)]
        each = sum(item["bytes"] for item in items) / len(rows)
        table = rows_table(rows, self.schema)
        row_group = max(1, int(ROW_GROUP / max(each, 1)))
        problem = self.output.commit_table(part["name"], table, row_group)
        counts = Counter(row["status"] for row in rows)
        statuses = {status: counts[status] for status in STATUSES}
        return {"rows": len(rows), **statuses, "problem": problem}

    def _read(self, key: str, places: list[tuple[str, str]]) -> dict[str, Row]:
        """Rows by their `key`, every file read once."""
        wanted = defaultdict(list)
        for file, name in places:
            if file is not None:
                wanted[file].append(name)
        return {
            row[key]: row
            for file, names in wanted.items()
            for row in self.output.read_table(file, filters=[(key, "in", names)]).to_pylist()
        }


def _rows(item: Row, clip: Row, edits: Mapping[str, Row]) -> Iterator[Row]:
    """The dataset's rows of a clip or source."""
    if not item["edit_ids"]:
        yield clip | {"package_version": PACKAGE_VERSION} | _not_planned(clip)
    for values in zip(*(item[f"{name}s"] for name in OF_AN_EDIT), strict=True):
        planned = dict(zip(OF_AN_EDIT, values, strict=True))
        named = {"row_id": planned["edit_id"], "level": "edit"}
        prompt = {"source_prompt": item["source_prompt"]}
        yield clip | edits[planned["edit_id"]] | named | prompt | planned


def _not_planned(clip: Row) -> Row:
    if clip["status"] != "ok":
        return {}
    return {
        "status": "rejected",
        "error_stage": "plan",
        "error_type": "NotPlanned",
        "error_message": "the plan holds no edit of this clip",
    }


def reconcile(output: Storage, items: pa.Table) -> None:
    """Check by id that the dataset holds exactly the rows accounted for.

    Raises:
        RunError: it does not; it is removed.
    """
    ids = zip(items["edit_ids"].to_pylist(), items["clip_row"].to_pylist(), strict=True)
    expected = Counter(name for edits, clip in ids for name in edits or [clip])
    found = Counter(
        row_id
        for name in output.find("dataset", ".parquet")
        for row_id in output.read_table(name, ["row_id"])["row_id"].to_pylist()
    )
    if found != expected:
        lost, extra = (expected - found).total(), (found - expected).total()
        output.remove("dataset")
        raise RunError(f"the dataset does not add up: {lost} rows lost, {extra} too many")
