"""PUBLISH: clips, plan and edits in; the dataset out, with every row accounted for."""

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import ray.data

from pipelines.config import Config
from pipelines.edit import committed
from pipelines.errors import RunError
from pipelines.plan import by_clip, read_plan
from pipelines.schema import DATASET, extras_of, rows_table, with_extras
from pipelines.stages.base import Row
from pipelines.stages.edit import read_clip
from pipelines.storage import Storage
from pipelines.version import PACKAGE_VERSION

ACCOUNTED = ["row_id", "clip_id", "status", "source_uri", "start_seconds"]


def publish(output: Storage, config: Config) -> Iterator[Row]:
    """Write the dataset anew; yields one row a file, with its rows by status.

    Raises:
        RunError: rows are missing, doubled or unplanned. Nothing stays published then.
    """
    items, extras = account(output)
    output.remove("dataset")
    size = config.publish.clips_per_file
    parts = [
        {"name": f"dataset/part-{start // size:05d}.parquet", "items": items[start : start + size]}
        for start in range(0, len(items), size)
    ]
    written = (
        ray.data.from_arrow(pa.Table.from_pylist(parts, PARTS))
        .repartition(target_num_rows_per_block=1)
        .map(WritePart(output, with_extras(DATASET, extras)), num_cpus=1)
    )
    yield from written.iter_rows()
    reconcile(output, items)


ITEM = pa.struct(
    [
        ("clip_file", pa.string()),
        ("clip_row", pa.string()),
        ("edit_ids", pa.list_(pa.string())),
        ("edit_files", pa.list_(pa.string())),
        ("target_prompts", pa.list_(pa.string())),
        ("seeds", pa.list_(pa.int64())),
    ]
)
"""A clip or source with its edits; without edits it is a row of the dataset itself."""
PARTS = pa.schema([("name", pa.string()), ("items", pa.list_(ITEM))])


def account(output: Storage) -> tuple[list[Row], pa.Schema]:
    """Find the place of every row of the dataset.

    The dataset has a row for every planned edit, for every clip without an edit and for every
    source without a clip.

    Returns:
        Values of `ITEM`, in the order of the sources, and the manifest's own columns.

    Raises:
        RunError: an edit has no result, or belongs to a clip that is not there.
    """
    clips: dict[str, Row] = {}
    schemas = []
    for name in output.files("clips", ".parquet"):
        schemas.append(extras_of(output.read_schema(name)))
        for row in output.read_table(name, ACCOUNTED).to_pylist():
            clips.setdefault(row["row_id"], row | {"file": name})
    plan = read_plan(output).to_pylist()
    edits = committed(output)
    missing = [row["edit_id"] for row in plan if row["edit_id"] not in edits]
    if missing:
        raise RunError(f"{len(missing)} planned edits have no result; the same command makes them")
    planned = {rows[0]["clip_row"]: rows for rows in by_clip(plan)}
    strangers = planned.keys() - clips.keys()
    if strangers:
        raise RunError(f"the plan names {len(strangers)} clips that clips/ does not hold")

    with_edits = {row["clip_id"] for row in plan}
    items = []
    for row_id, clip in sorted(clips.items(), key=_order):
        rows = planned.get(row_id, [])
        if not rows and clip["status"] == "ok" and clip["clip_id"] in with_edits:
            continue  # an exact duplicate: all its edits are another row's
        items.append(
            {
                "clip_file": clip["file"],
                "clip_row": row_id,
                "edit_ids": [row["edit_id"] for row in rows],
                "edit_files": [edits[row["edit_id"]] for row in rows],
                "target_prompts": [row["target_prompt"] for row in rows],
                "seeds": [row["seed"] for row in rows],
            }
        )
    return items, pa.unify_schemas(schemas) if schemas else pa.schema([])


def _order(entry: tuple[str, Row]) -> tuple[str, float, str]:
    row_id, clip = entry
    return clip["source_uri"] or "", clip["start_seconds"] or 0.0, row_id


class WritePart:
    """Assembles the rows of one dataset file and commits it."""

    def __init__(self, output: Storage, schema: pa.Schema) -> None:
        self.output = output
        self.schema = schema

    def __call__(self, part: Row) -> Row:
        rows = [row for item in part["items"] for row in self._rows(item)]
        self.output.write_table(part["name"], rows_table(rows, self.schema))
        counts = Counter(row["status"] for row in rows)
        return {"rows": len(rows), **{s: counts[s] for s in ("ok", "rejected", "failed")}}

    def _rows(self, item: Row) -> Iterator[Row]:
        clip = read_clip(self.output, item["clip_file"], item["clip_row"])
        if not item["edit_ids"]:
            yield clip | {"package_version": PACKAGE_VERSION} | _not_planned(clip)
        for edit_id, file, target, seed in zip(
            item["edit_ids"],
            item["edit_files"],
            item["target_prompts"],
            item["seeds"],
            strict=True,
        ):
            found = self.output.read_table(file, filters=[("edit_id", "=", edit_id)])
            yield (
                clip
                | found.to_pylist()[0]
                | {
                    "row_id": edit_id,
                    "level": "edit",
                    "target_prompt": target,
                    "seed": seed,
                }
            )


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
        for name in output.files("dataset", ".parquet")
        for row_id in output.read_table(name, ["row_id"])["row_id"].to_pylist()
    )
    if found != expected:
        lost, extra = (expected - found).total(), (found - expected).total()
        output.remove("dataset")
        raise RunError(f"the dataset does not add up: {lost} rows lost, {extra} too many")
