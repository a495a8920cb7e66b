"""One file of the dataset."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.causes import at
from pipelines.config.sections import Bounds
from pipelines.rows import Row
from pipelines.schema import STATUSES, conform, extras_of, rows_table
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


class WritePart:
    """Assembles the rows of one file of the dataset, and commits the file.

    Reads a part: its file's `name`, and `items`, a list of `publishing.index.DATASET_ITEMS`.
    Returns the number of rows, the rows by status, and `problem` as `tables.commit` does.

    Args:
        output: the run's folder.
        schema: of the file.
        limits: bounds by metric, see `apply_limits`.
    """

    def __init__(self, output: Storage, schema: pa.Schema, limits: Mapping[str, Bounds]) -> None:
        self.output = output
        self.schema = schema
        self.limits = dict(limits)

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
        edits, measures = (
            self._by_edit(
                [
                    place
                    for item in items
                    for place in zip(item[files], item["edit_ids"], strict=True)
                ],
            )
            for files in ("edit_files", "measures_files")
        )
        for edit_id, measured in measures.items():
            edits[edit_id] |= apply_limits(measured, self.limits)
        rows = [row for item in items for row in _rows(item, clips[item["clip_row"]], edits)]
        each = sum(item["bytes"] for item in items) / len(rows)
        table = self._table(rows)
        row_group = max(1, int(ROW_GROUP / max(each, 1)))
        done = commit(self.output, part["name"], table, row_group_size=row_group)
        return {"rows": len(rows), **{name: done[name] for name in (*STATUSES, "problem")}}

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

    def _by_edit(self, places: list[tuple[str, str]]) -> dict[str, Row]:
        return {row["edit_id"]: row for row in self._read("edit_id", places)}

    def _read(self, key: str, places: list[tuple[str, str]]) -> list[Row]:
        """Returns rows of files by their `key`; reads every file once."""
        wanted = defaultdict(list)
        for file, name in places:
            if file is not None:
                wanted[file].append(name)
        return [
            row
            for file, names in wanted.items()
            for row in self.output.read_table(file, filters=[(key, "in", names)]).to_pylist()
        ]


def _rows(item: Row, clip: Row, edits: Mapping[str, Row]) -> Iterator[Row]:
    """Yields the dataset's rows of a clip or source."""
    if not item["edit_ids"]:
        yield clip | {"package_version": PACKAGE_VERSION} | _not_planned(clip)
    for values in zip(*(item[f"{name}s"] for name in PLANNED_EDIT), strict=True):
        planned = dict(zip(PLANNED_EDIT, values, strict=True))
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
