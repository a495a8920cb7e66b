"""PUBLISH: clips, plan, edits and measures in; the dataset out, with every row accounted for."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate

import pyarrow as pa
import ray.data

from pipelines.account import Account, account
from pipelines.clips import with_videos
from pipelines.config import Config
from pipelines.errors import RunError
from pipelines.limits import judge
from pipelines.plan import OF_AN_EDIT
from pipelines.schema import DATASET, STATUSES, rows_table, with_extras, with_metrics
from pipelines.sections import Bounds
from pipelines.stages.base import Row
from pipelines.storage import Storage
from pipelines.version import PACKAGE_VERSION

MEGABYTE = 2**20
ROW_GROUP = 32 * MEGABYTE
CLIPS_AT_ONCE = 20_000
"""What is written at a time; of all that there is, only the places are known at once."""
Part = tuple[str, list[int]]
"""A file of the dataset and its clips, by their rows in the account."""


def publish(output: Storage, config: Config) -> Iterator[Row]:
    """Write the dataset anew; yields one row a file, with its rows by status.

    Raises:
        RunError: rows are missing, doubled or unplanned, and nothing stays published; or a file
            cannot be written.
    """
    expected = account(output, config)
    output.remove("dataset")
    folders = config.publish.partition_by
    own = pa.schema([field for field in expected.extras if field.name not in folders])
    schema = with_extras(with_metrics(DATASET, config.measure.metrics), own)
    write = WritePart(output, schema, config.publish.limits)
    parts = divide(expected.clips, config.publish.file_mb * MEGABYTE)
    for some in portions(parts, CLIPS_AT_ONCE):
        written = (
            ray.data.from_arrow(_with_items(some, expected))
            .repartition(target_num_rows_per_block=1)
            .map(write, num_cpus=1)
        )
        for part in written.iter_rows():
            if part["problem"] is not None:
                raise RunError(part["problem"])
            yield part
    reconcile(output, expected.row_ids())


def divide(clips: pa.Table, size: float) -> list[Part]:
    """Clips, with their `folder` and `bytes`, to files of about `size` bytes each."""
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
    """The parts in order, so many that they hold this number of clips, or just more."""
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


def _with_items(parts: list[Part], expected: Account) -> pa.Table:
    """Parts as rows of `name` and `items`, each a list of `account.ITEMS`."""
    ends = pa.array(accumulate((len(rows) for _, rows in parts), initial=0), pa.int32())
    items = expected.items([row for _, rows in parts for row in rows])
    lists = pa.ListArray.from_arrays(ends, items.to_struct_array().combine_chunks())
    return pa.table({"name": [name for name, _ in parts], "items": lists})


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


def reconcile(output: Storage, expected: pa.Array) -> None:
    """Check by id that the dataset holds exactly the rows expected.

    Raises:
        RunError: it does not; it is removed.
    """
    names = output.find("dataset", ".parquet")
    columns = [output.read_table(name, ["row_id"])["row_id"] for name in names]
    found = pa.concat_arrays([expected[:0], *(c for column in columns for c in column.chunks)])
    if not found.sort().equals(expected.sort()):
        had, wanted = Counter(found.to_pylist()), Counter(expected.to_pylist())
        lost, extra = (wanted - had).total(), (had - wanted).total()
        output.remove("dataset")
        raise RunError(f"the dataset does not add up: {lost} rows lost, {extra} too many")
