"""One file of the dataset."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.causes import at
from pipelines.config.config import Config
from pipelines.english.instructions import instruction_columns
from pipelines.media import masks
from pipelines.media.regions import Regions
from pipelines.rows import Row
from pipelines.schema import STATUSES, VIDEOS, conform, extras_of, rows_table
from pipelines.stages.composite_edit import CompositeEdit
from pipelines.stages.quality_limits import apply_limits
from pipelines.storage import Storage
from pipelines.tables.clips import with_videos
from pipelines.tables.commit import commit
from pipelines.tables.plan import PLANNED_EDIT
from pipelines.tables.sources import SOURCES_FILE
from pipelines.versions import PACKAGE_VERSION

MEGABYTE = 2**20


ROW_GROUP = 32 * MEGABYTE
"""Target size of a row group, bytes."""
MOST_READ = 300_000_000
"""The bytes that the Hugging Face Hub's viewer reads at once. A larger row group is not shown."""


class WritePart:
    """Assembles the rows of one file of the dataset, and commits the file.

    Reads a part: its file's `name`, and `items`, a list of `publishing.index.DATASET_ITEMS`.
    Returns the number of rows, the rows by status, and `problem` as `tables.commit` does.

    Args:
        output: the run's folder.
        schema: of the file.
        config: the run's configuration. Edits are judged by `publish.limits`, see `apply_limits`,
            and have the size of `publish.size`.
    """

    def __init__(self, output: Storage, schema: pa.Schema, config: Config) -> None:
        self.output = output
        self.schema = schema
        self.limits = dict(config.publish.bounds)
        self.composite = None
        if config.publish.size == "source":
            self.composite = CompositeEdit(output, config)

    def __call__(self, part: Row) -> Row:
        with at("publishing", part["name"]):
            return self._write(part)

    def _write(self, part: Row) -> Row:
        items = part["items"]
        places = [(item["clip_file"], item["clip_row"]) for item in items]
        sources = {item["clip_row"]: item["source_row"] for item in items}
        read = [
            row
            for row in self._read("row_id", places)
            if row["source_row"] == sources[row["row_id"]]
        ]
        clips = {row["row_id"]: row for row in with_videos(self.output, read)}
        edits = self._edits([tries for item in items for tries in item["tries"]])
        rows = [row for item in items for row in _rows(item, clips[item["clip_row"]], edits)]
        if self.composite:
            composited = (self.composite(row) if _is_edit(row) else {} for row in rows)
            rows = [row | columns for row, columns in zip(rows, composited, strict=True)]
        table, row_group = self._table(rows), rows_of_a_group([_bytes(row) for row in rows])
        done = commit(self.output, part["name"], table, row_group_size=row_group)
        return {"rows": len(rows), **{name: done[name] for name in (*STATUSES, "problem")}}

    def _edits(self, edits: Sequence[Sequence[Row]]) -> dict[str, Row]:
        """Returns the columns of the last try of each edit, by the id of the try.

        Args:
            edits: tries of each edit, rows of `publishing.index.TRY`.
        """
        made = self._tries("edit_file", [tries[-1] for tries in edits])
        earlier = [each for tries in edits for each in tries[:-1]]
        settings = self._tries("edit_file", earlier, ["edit_id", "editor_settings"])
        measures = self._tries("measures_file", [each for tries in edits for each in tries])
        for *before, last in edits:
            edit_id = last["edit_id"]
            if edit_id in measures:
                made[edit_id] |= apply_limits(measures[edit_id], self.limits)
            ids = [each["edit_id"] for each in before]
            told = [self._earlier(settings[each], measures[each]) for each in ids]
            made[edit_id] |= {"edit_try": len(before), "earlier_tries": told or None}
        return made

    def _tries(
        self, file: str, tries: Sequence[Row], columns: list[str] | None = None
    ) -> dict[str, Row]:
        places = [(each[file], each["edit_id"]) for each in tries]
        return {row["edit_id"]: row for row in self._read("edit_id", places, columns)}

    def _earlier(self, edit: Row, measured: Row) -> Row:
        """Returns a try that is not shown as `schema.EARLIER_TRY`."""
        return {
            "settings": edit["editor_settings"],
            "metrics": json.dumps(dict(measured["metrics"])),
            "reason": apply_limits(measured, self.limits)["error_message"],
        }

    def _table(self, rows: Sequence[Row]) -> pa.Table:
        """Returns rows with the manifest's own columns, which are those of the sources now."""
        own = extras_of(self.schema)
        table = rows_table(rows, pa.schema([f for f in self.schema if f.name not in own.names]))
        source_rows = pa.array([row["source_row"] for row in rows], pa.string())
        chosen = [("source_row", "in", source_rows.unique().to_pylist())]
        sources = self.output.read_table(SOURCES_FILE, ["source_row", *own.names], chosen)
        place = pc.index_in(source_rows, sources["source_row"])
        for name in own.names:
            table = table.append_column(name, sources[name].take(place))
        return conform(table, self.schema)

    def _read(
        self, key: str, places: Sequence[tuple[str, str]], columns: list[str] | None = None
    ) -> list[Row]:
        """Returns rows of files by their `key`; reads every file once."""
        wanted = defaultdict(list)
        for file, name in places:
            if file is not None:
                wanted[file].append(name)
        return [
            row
            for file, names in wanted.items()
            for row in self.output.read_table(file, columns, [(key, "in", names)]).to_pylist()
        ]


def rows_of_a_group(sizes: Sequence[int]) -> int:
    """Returns the rows of a row group: about `ROW_GROUP` bytes, and in none over `MOST_READ`.

    Larger row groups are no faster to read. Pages stay as large as a row group, which holds the
    common source of the edits of a clip once: with a page for each video, files grow by 40 %.

    Args:
        sizes: bytes of each row's videos. A single row may have more than `MOST_READ`.
    """
    each = np.maximum(sizes, 1)
    rows = max(1, int(ROW_GROUP / each.mean()))
    while rows > 1 and np.add.reduceat(each, np.arange(0, len(each), rows)).max() > MOST_READ:
        rows //= 2
    return rows


def _bytes(row: Row) -> int:
    return sum(len(row.get(name) or b"") for name in VIDEOS)


def _rows(item: Row, clip: Row, edits: Mapping[str, Row]) -> Iterator[Row]:
    """Yields the dataset's rows of a clip or source."""
    if not item["edit_ids"]:
        yield clip | {"package_version": PACKAGE_VERSION} | _not_planned(clip)
    lists = zip(*(item[f"{name}s"] for name in PLANNED_EDIT), strict=True)
    for values, tries in zip(lists, item["tries"], strict=True):
        planned = dict(zip(PLANNED_EDIT, values, strict=True))
        planned["source_prompt"] = item["source_prompt"]
        yield edit_row(clip, edits[tries[-1]["edit_id"]], planned)


def edit_row(clip: Row, edit: Row, planned: Row) -> Row:
    """Returns the row of an edit, of `schema.DATASET`.

    Args:
        clip: the clip's row, of `schema.CLIPS`.
        edit: the columns of `schema.EDITS`, and others.
        planned: source_prompt, and the columns `PLANNED_EDIT`. `edit_id` names the row.
    """
    named = {"row_id": planned["edit_id"], "level": "edit"}
    row = clip | edit | named | planned
    if row["edit_list"]:
        row["edits"] = json.loads(row["edit_list"])
        region = Regions(clip).of_edit(row["target_where"], row["edits"])
        row["mask"] = None if region is None else masks.encode(region)
    return row | instruction_columns(row)


def _is_edit(row: Row) -> bool:
    return row["level"] == "edit" and row["status"] == "ok"


def _not_planned(clip: Row) -> Row:
    if clip["status"] != "ok":
        return {}
    return {
        "status": "rejected",
        "error_stage": "plan",
        "error_type": "NotPlanned",
        "error_message": "the plan holds no edit of this clip",
    }
