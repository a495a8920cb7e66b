"""What ANNOTATE commits: files of rows of clips, and which are there.

Where it takes several jobs, each has a folder for what it found. The videos stay in the files of
the first one: rows of the others say by `found_file` and `found_row` where.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import ids
from pipelines.rows import FAILURES, Row
from pipelines.schema import conform, rows_table, unique
from pipelines.storage import Storage
from pipelines.tables.commit import commit

CLIPS_FOLDER = "clips"
"""The folder of the last job: what the later phases read."""
COMMITTED = pa.schema(
    [
        ("rows", pa.int64()),
        ("sources", pa.int64()),
        ("clips", pa.int64()),
        ("ok", pa.int64()),
        ("rejected", pa.int64()),
        ("failed", pa.int64()),
        ("failures", FAILURES),
        ("problem", pa.string()),
    ]
)
"""What became of a block: counts, what failed in this job, and why it could not be written."""


class CommitClips:
    """Writes a block of clips as one file, named by the rows it holds.

    Args:
        output: the run's folder.
        folder: the job's, below the output.
        schema: `schema.CLIPS` or `schema.STEP`, and the manifest's own columns.
        stages: the job's. Rows that failed in others are the failures of an earlier job.
    """

    def __init__(
        self, output: Storage, folder: str, schema: pa.Schema, stages: Collection[str]
    ) -> None:
        self.output = output
        self.folder = folder
        self.schema = schema
        self.stages = frozenset(stages)

    def __call__(self, clips: pa.Table) -> pa.Table:
        # In an order by which a reader finds a clip without reading the others.
        order = "row_id" if self.folder == CLIPS_FOLDER else "found_row"
        table = conform(clips, self.schema).sort_by(order)
        sources = set(table["source_row"].to_pylist())
        name = ids.content_id(rows=sorted(table["row_id"].to_pylist()), sources=sorted(sources))
        file = f"{self.folder}/{name}.parquet"
        done = commit(self.output, file, table, row_group_size=8)
        done["failures"] = [row for row in done["failures"] if row["error_stage"] in self.stages]
        clips = pc.sum(pc.equal(table["level"], "clip")).as_py() or 0
        counts = {"rows": len(table), "sources": len(sources), "clips": clips}
        return pa.Table.from_pylist([counts | done], COMMITTED)

    def commit(self, rows: Sequence[Row]) -> Row:
        """The same of rows, which are named first; what lies in another file is not copied."""
        named = [name_row(row) for row in rows]
        here = [row | {"source_video": None} if row["found_file"] else row for row in named]
        return self(rows_table(here, self.schema)).to_pylist()[0]


def name_row(row: Row) -> Row:
    """Sets found_row, and row_id of a clip."""
    row = row | {"found_row": ids.content_id(source=row["source_row"], clip=row["clip_id"])}
    return row if row["level"] == "source" else row | {"row_id": ids.clip_row_id(row)}


def pending_sources(sources: pa.Table, output: Storage, folder: str) -> pa.Table:
    """The sources whose clips the folder does not hold, or not all of them."""
    rows = output.read_folder(folder, ["source_row", "row_id", "clips_in_source"])
    if rows is None:
        return sources
    found = rows.group_by("source_row").aggregate(
        [("row_id", "count_distinct"), ("clips_in_source", "min")]  # 0: given up
    )
    whole = pc.greater_equal(found["row_id_count_distinct"], found["clips_in_source_min"])
    done = found.filter(whole)["source_row"]
    return sources.filter(pc.invert(pc.is_in(sources["source_row"], done)))


def pending_clips(output: Storage, before: str, folder: str) -> pa.Table:
    """The clips of the folder `before` that `folder` does not hold: found_row, and their file."""
    found = output.read_folder(before, ["found_row"])
    done = output.read_folder(folder, ["found_row"])
    if found is None:  # of no source anything was found
        return pa.table({"found_row": pa.array([], pa.string()), "file": pa.array([], pa.string())})
    left = unique(found, "found_row")
    return (
        left
        if done is None
        else left.filter(pc.invert(pc.is_in(left["found_row"], done["found_row"])))
    )


def read_found(output: Storage, places: Iterable[tuple[str, str]]) -> list[Row]:
    """Clips with their videos, by file and found_row."""
    rows = []
    for file, names in _by_file(places).items():
        table = output.read_table(file, filters=[("found_row", "in", names)])
        # Whatever is said of a clip next, its video stays where it is.
        rows += [
            row | ({"found_file": file} if row["source_video"] else {}) for row in table.to_pylist()
        ]
    return with_videos(output, rows)


def with_videos(output: Storage, rows: Sequence[Row]) -> list[Row]:
    """The rows, with source_video where it lies in another file."""
    away = [row for row in rows if row["found_file"] and row["source_video"] is None]
    videos: dict[tuple[str, str], bytes] = {}
    for file, names in _by_file((row["found_file"], row["found_row"]) for row in away).items():
        wanted = [("found_row", "in", names)]
        for row in output.read_table(file, ["found_row", "source_video"], wanted).to_pylist():
            videos[file, row["found_row"]] = row["source_video"]
    return [
        row | {"source_video": videos[row["found_file"], row["found_row"]]}
        if row["found_file"] and row["source_video"] is None
        else row
        for row in rows
    ]


def _by_file(places: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    names: dict[str, list[str]] = defaultdict(list)
    for file, name in places:
        names[file].append(name)
    return names


def read_clip(output: Storage, file: str, row_id: str) -> Row:
    """One row of a clips file, with its video."""
    table = output.read_table(file, filters=[("row_id", "=", row_id)])
    if not len(table):
        raise FileNotFoundError(f"{file} does not hold clip {row_id}")
    return with_videos(output, table.slice(0, 1).to_pylist())[0]
