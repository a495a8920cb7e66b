"""PUBLISH: clips, plan and edits in; the dataset out, with every row accounted for."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import quote

import pyarrow as pa
import ray.data

from pipelines.config import Config
from pipelines.edit import committed
from pipelines.errors import RunError
from pipelines.plan import by_clip, read_plan
from pipelines.schema import DATASET, extras_of, rows_table, with_extras
from pipelines.stages.base import Row
from pipelines.storage import Storage
from pipelines.version import PACKAGE_VERSION

ACCOUNTED = ["row_id", "clip_id", "status", "source_uri", "start_seconds"]
MEGABYTE = 2**20
ROW_GROUP = 32 * MEGABYTE
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def publish(output: Storage, config: Config) -> Iterator[Row]:
    """Write the dataset anew; yields one row a file, with its rows by status.

    Raises:
        RunError: rows are missing, doubled or unplanned. Nothing stays published then.
    """
    folders = config.publish.partition_by
    items, extras = account(output, folders)
    output.remove("dataset")
    parts = divide(items, config.publish.file_mb * MEGABYTE)
    schema = pa.schema([field for field in extras if field.name not in folders])
    written = (
        ray.data.from_arrow(pa.Table.from_pylist(parts, PARTS))
        .repartition(target_num_rows_per_block=1)
        .map(WritePart(output, with_extras(DATASET, schema)), num_cpus=1)
    )
    yield from written.iter_rows()
    reconcile(output, items)


ITEM = pa.struct(
    [
        ("clip_file", pa.string()),
        ("clip_row", pa.string()),
        ("edit_ids", pa.list_(pa.string())),
        ("edit_files", pa.list_(pa.string())),
        ("source_prompt", pa.string()),
        ("target_prompts", pa.list_(pa.string())),
        ("seeds", pa.list_(pa.int64())),
        ("folder", pa.string()),
        ("bytes", pa.float64()),
    ]
)
"""A clip or source with its edits; without edits it is a row of the dataset itself."""
PARTS = pa.schema([("name", pa.string()), ("items", pa.list_(ITEM))])


def account(output: Storage, folders: Collection[str] = ()) -> tuple[list[Row], pa.Schema]:
    """Find the place of every row of the dataset.

    The dataset has a row for every planned edit, for every clip without an edit and for every
    source without a clip.

    Args:
        folders: the manifest's columns that name folders of the dataset.

    Returns:
        Values of `ITEM`, in the order of the sources, and the manifest's own columns.

    Raises:
        RunError: an edit has no result, or belongs to a clip that is not there; the manifest has
            no such column.
    """
    clips, extras = _clips(output, folders)
    plan = read_plan(output).to_pylist()
    edits = committed(output)
    missing = [row["edit_id"] for row in plan if row["edit_id"] not in edits]
    if missing:
        raise RunError(f"{len(missing)} planned edits have no result; the same command makes them")
    planned = {rows[0]["clip_row"]: rows for rows in by_clip(plan)}
    strangers = planned.keys() - clips.keys()
    if strangers:
        raise RunError(f"the plan names {len(strangers)} clips that clips/ does not hold")

    sizes, together = output.sizes("edits", ".parquet"), Counter(edits.values())
    with_edits = {row["clip_id"] for row in plan}
    items = []
    for row_id, clip in sorted(clips.items(), key=_order):
        rows = planned.get(row_id, [])
        if not rows and clip["status"] == "ok" and clip["clip_id"] in with_edits:
            continue  # an exact duplicate: all its edits are another row's
        files = [edits[row["edit_id"]] for row in rows]
        items.append(
            {
                "clip_file": clip["file"],
                "clip_row": row_id,
                "edit_ids": [row["edit_id"] for row in rows],
                "edit_files": files,
                "source_prompt": rows[0]["source_prompt"] if rows else None,
                "target_prompts": [row["target_prompt"] for row in rows],
                "seeds": [row["seed"] for row in rows],
                "folder": "".join(f"{quote(f)}={_folder(clip[f])}/" for f in folders),
                "bytes": clip["bytes"] * max(len(rows), 1)
                + sum(sizes[file] / together[file] for file in files),
            }
        )
    return items, extras


def _clips(output: Storage, folders: Collection[str]) -> tuple[dict[str, Row], pa.Schema]:
    """Every row of clips/ by its row_id, with its file and its share of the file's bytes."""
    clips: dict[str, Row] = {}
    schemas = []
    for name, size in output.sizes("clips", ".parquet").items():
        extras = extras_of(output.read_schema(name))
        unknown = [folder for folder in folders if folder not in extras.names]
        if unknown:
            raise RunError(f"publish.partition_by: the manifest has no column {unknown[0]!r}")
        schemas.append(extras)
        rows = output.read_table(name, [*ACCOUNTED, *folders]).to_pylist()
        for row in rows:
            clips.setdefault(row["row_id"], row | {"file": name, "bytes": size / len(rows)})
    return clips, pa.unify_schemas(schemas) if schemas else pa.schema([])


def _folder(value: object) -> str:
    return NO_VALUE if value is None else quote(str(value), safe="")


def _order(entry: tuple[str, Row]) -> tuple[str, float, str]:
    row_id, clip = entry
    return clip["source_uri"] or "", clip["start_seconds"] or 0.0, row_id


def divide(items: list[Row], size: float) -> list[Row]:
    """Items to files, values of `PARTS`, of about `size` bytes each."""
    folders: dict[str, list[list[Row]]] = defaultdict(list)
    filled: dict[str, float] = {}
    for item in items:
        folder = item["folder"]
        if folder not in filled or filled[folder] + item["bytes"] > size:
            folders[folder].append([])
            filled[folder] = 0.0
        folders[folder][-1].append(item)
        filled[folder] += item["bytes"]
    return [
        {"name": f"dataset/{folder}part-{index:05d}.parquet", "items": part}
        for folder, parts in sorted(folders.items())
        for index, part in enumerate(parts)
    ]


class WritePart:
    """Assembles the rows of one dataset file and commits it."""

    def __init__(self, output: Storage, schema: pa.Schema) -> None:
        self.output = output
        self.schema = schema

    def __call__(self, part: Row) -> Row:
        items = part["items"]
        clips = self._read("row_id", [(item["clip_file"], item["clip_row"]) for item in items])
        edits = self._read(
            "edit_id",
            [
                place
                for item in items
                for place in zip(item["edit_files"], item["edit_ids"], strict=True)
            ],
        )
        rows = [row for item in items for row in _rows(item, clips[item["clip_row"]], edits)]
        each = sum(item["bytes"] for item in items) / len(rows)
        table = rows_table(rows, self.schema)
        self.output.write_table(part["name"], table, max(1, int(ROW_GROUP / max(each, 1))))
        counts = Counter(row["status"] for row in rows)
        return {"rows": len(rows), **{s: counts[s] for s in ("ok", "rejected", "failed")}}

    def _read(self, key: str, places: list[tuple[str, str]]) -> dict[str, Row]:
        """Rows by their `key`, every file read once."""
        wanted = defaultdict(list)
        for file, name in places:
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
    for edit_id, target, seed in zip(
        item["edit_ids"], item["target_prompts"], item["seeds"], strict=True
    ):
        planned = {
            "row_id": edit_id,
            "level": "edit",
            "source_prompt": item["source_prompt"],
            "target_prompt": target,
            "seed": seed,
        }
        yield clip | edits[edit_id] | planned


def _not_planned(clip: Row) -> Row:
    if clip["status"] != "ok":
        return {}
    return {
        "status": "rejected",
        "error_stage": "plan",
        "error_type": "NotPlanned",
        "error_message": "the plan holds no edit of this clip",
    }


def reconcile(output: Storage, items: list[Row]) -> None:
    """Check by id that the dataset holds exactly the rows accounted for.

    Raises:
        RunError: it does not; it is removed.
    """
    expected = Counter(i for item in items for i in (item["edit_ids"] or [item["clip_row"]]))
    found = Counter(
        row_id
        for name in output.find("dataset", ".parquet")
        for row_id in output.read_table(name, ["row_id"])["row_id"].to_pylist()
    )
    if found != expected:
        lost, extra = (expected - found).total(), (found - expected).total()
        output.remove("dataset")
        raise RunError(f"the dataset does not add up: {lost} rows lost, {extra} too many")
