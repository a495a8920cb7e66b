"""The files of clips that ANNOTATE commits.

Every annotation job has a folder of its own. Videos stay in the files of the first job: rows of
later jobs reference them by `found_file` and `found_row`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import ids
from pipelines.rows import FAILURES, Row
from pipelines.schema import CLIPS, conform, rows_table, unique
from pipelines.storage import Storage
from pipelines.tables.commit import commit
from pipelines.tables.sources import VERSIONED, current, read_sources

CLIPS_FOLDER = "clips"
"""The folder of the last job, which the later phases read."""
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
"""The summary of a block: counts, the failures of this job, and why the commit failed."""


class CommitClips:
    """Writes a block of clips as one file, whose name is a hash of its rows.

    Args:
        output: the run's folder.
        folder: the folder of the job, below the output.
        schema: `schema.CLIPS` or `schema.STEP`, and the manifest's own columns.
        stages: the stages of the job. Failures in other stages were reported by an earlier job.
    """

    def __init__(
        self, output: Storage, folder: str, schema: pa.Schema, stages: Collection[str]
    ) -> None:
        self.output = output
        self.folder = folder
        self.schema = schema
        self.stages = frozenset(stages)

    def __call__(self, clips: pa.Table) -> pa.Table:
        # Sorted, so that a reader finds a clip by the statistics of the row groups.
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
        """Names rows and commits them. Videos in other files are referenced, not copied."""
        named = [name_row(row) for row in rows]
        here = [row | {"source_video": None} if row["found_file"] else row for row in named]
        return self(rows_table(here, self.schema)).to_pylist()[0]


def name_row(row: Row) -> Row:
    """Sets found_row, and row_id of a clip."""
    row = row | {"found_row": ids.content_id(source=row["source_row"], clip=row["clip_id"])}
    return row if row["level"] == "source" else row | {"row_id": ids.clip_row_id(row)}


def pending_sources(sources: pa.Table, output: Storage, folder: str) -> pa.Table:
    """Returns the sources of which the folder lacks a clip."""
    columns = ["source_row", "source_version", "row_id", "clips_in_source"]
    rows = _read_clips(output, folder, columns)
    if rows is None:
        return sources
    found = (
        current(rows, sources)
        .group_by("source_row", use_threads=False)
        .aggregate(
            [("row_id", "count_distinct"), ("clips_in_source", "min")]  # 0: failed, without clips
        )
    )
    whole = pc.greater_equal(found["row_id_count_distinct"], found["clips_in_source_min"])
    done = found.filter(whole)["source_row"]
    return sources.filter(pc.invert(pc.is_in(sources["source_row"], done)))


def pending_clips(
    output: Storage, before: str, folder: str, sources: pa.Table | None = None
) -> pa.Table:
    """Returns the clips of the folder `before` that `folder` lacks: found_row, and their file.

    Args:
        sources: some of the run's sources, whose clips are returned. None: all.
    """
    columns = ["found_row", "source_row", "source_version"]
    found = _read_clips(output, before, columns)
    done = output.read_folder(folder, ["found_row"])
    if found is None:  # there is no source
        return pa.table({"found_row": pa.array([], pa.string()), "file": pa.array([], pa.string())})
    chosen = read_sources(output, VERSIONED) if sources is None else sources
    left = unique(current(found, chosen), "found_row").select(["found_row", "file"])
    return (
        left
        if done is None
        else left.filter(pc.invert(pc.is_in(left["found_row"], done["found_row"])))
    )


def current_clips(
    output: Storage,
    columns: Sequence[str],
    sources: pa.Table | None = None,
    repeated: bool = False,
) -> pa.Table:
    """Returns every clip and source without a clip that belongs to the dataset, once.

    Args:
        columns: of `schema.CLIPS`. The column `file` is added.
        sources: some of the run's sources, whose clips are returned. None: all.
        repeated: return a clip that several sources have in common once for each of them.
    """
    needed = dict.fromkeys([*columns, "row_id", "source_row", "source_version"])
    found = _read_clips(output, CLIPS_FOLDER, list(needed))
    if found is None:
        return pa.schema([*(CLIPS.field(n) for n in columns), ("file", pa.string())]).empty_table()
    chosen = read_sources(output, VERSIONED) if sources is None else sources
    found = current(found, chosen)
    return (found if repeated else unique(found, "row_id")).select([*columns, "file"])


def all_clips(output: Storage) -> pa.ChunkedArray:
    """Returns the row_id of every clip and source, also of those that left the dataset."""
    found = output.read_folder(CLIPS_FOLDER, ["row_id"])
    return pa.chunked_array([], pa.string()) if found is None else found["row_id"]


def _read_clips(output: Storage, folder: str, columns: list[str]) -> pa.Table | None:
    """Returns columns of all files of a folder; older files lack some, which are null."""
    return output.read_folder(folder, columns, pa.schema([CLIPS.field(n) for n in columns]))


def read_found(output: Storage, places: Iterable[tuple[str, str]]) -> list[Row]:
    """Returns clips with their videos.

    Args:
        places: the file and the found_row of each clip.
    """
    rows = []
    for file, names in _by_file(places).items():
        table = output.read_table(file, filters=[("found_row", "in", names)])
        # Later steps reference the video instead of copying it.
        rows += [
            row | ({"found_file": file} if row["source_video"] else {}) for row in table.to_pylist()
        ]
    return with_videos(output, rows)


def with_videos(output: Storage, rows: Sequence[Row]) -> list[Row]:
    """Returns the rows with the source_video that is stored in another file."""
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
    """Returns one row of a clips file, with its video.

    Raises:
        FileNotFoundError: the file has no such row.
    """
    table = output.read_table(file, filters=[("row_id", "=", row_id)])
    if not len(table):
        raise FileNotFoundError(f"{file} does not hold clip {row_id}")
    return with_videos(output, table.slice(0, 1).to_pylist())[0]
