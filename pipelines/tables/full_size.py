"""The files of clips at the source's size, one per clip, from which PUBLISH makes composites."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import RowError
from pipelines.ids import content_id
from pipelines.rows import Row
from pipelines.schema import FULL_SIZE, OUTCOME, rows_table, unique
from pipelines.storage import Storage
from pipelines.tables.clips import current_clips
from pipelines.tables.commit import commit

FULL_FOLDER = "full"
CLIP = ("clip_id", "source_row", "source_version", "start_seconds", "fps", "num_frames")
"""The columns of a clip that locate its frames."""


def full_name(clip_id: str, source_version: str | None) -> str:
    """Returns a hash that identifies a clip of a source as it was read."""
    return content_id(clip=clip_id, version=source_version)


def full_file(name: str) -> str:
    """Returns the file of a clip, by its `full_name`, below the output."""
    return f"{FULL_FOLDER}/{name}.parquet"


def pending_full(output: Storage, sources: pa.Table) -> pa.Table:
    """Returns the clips that are ok and have no file: `CLIP`, location, and `full`, the name.

    Args:
        sources: some of the run's sources, whose clips are returned.
    """
    clips = current_clips(output, [*CLIP, "status"], sources, repeated=True)
    clips = clips.filter(pc.equal(clips["status"], "ok")).select(CLIP)
    place = pc.index_in(clips["source_row"], sources["source_row"])
    clips = clips.append_column("location", sources["location"].take(place))
    clips = unique(clips.append_column("full", pa.array(_names(clips), pa.string())), "full")
    there = {*output.files(FULL_FOLDER, ".parquet")}
    missing = [full_file(name) not in there for name in clips["full"].to_pylist()]
    return clips.filter(pa.array(missing, pa.bool_()))


def full_bytes(output: Storage, clips: pa.Table) -> list[int | None]:
    """Returns the size of the file of each clip, bytes; None of a clip without a file.

    Args:
        clips: has the columns clip_id and source_version.
    """
    sizes = output.sizes(FULL_FOLDER, ".parquet")
    return [sizes.get(full_file(name)) for name in _names(clips)]


def commit_full(output: Storage, name: str, row: Row) -> Row:
    """Write a row of `schema.FULL_SIZE`. Returns counts, as `tables.commit` returns them."""
    return commit(output, full_file(name), rows_table([row], FULL_SIZE), "clip_id")


def read_full(output: Storage, clip_id: str, source_version: str | None) -> bytes:
    """Returns a clip at the source's size, MP4.

    Raises:
        RowError: the clip could not be made, with the reason.
    """
    (row,) = output.read_table(full_file(full_name(clip_id, source_version))).to_pylist()
    if row["status"] != "ok":
        raise RowError(row["error_type"], row["error_message"])
    video: bytes = row["full_video"]
    return video


def failed_full(output: Storage) -> dict[str, Row]:
    """Returns the outcome of every clip that could not be made, by `full_name`."""
    found = output.read_folder(FULL_FOLDER, list(OUTCOME))
    if found is None:
        return {}
    failed = found.filter(pc.not_equal(found["status"], "ok")).to_pylist()
    return {row["file"].split("/")[-1].removesuffix(".parquet"): row for row in failed}


def _names(clips: pa.Table) -> list[str]:
    pairs = zip(clips["clip_id"].to_pylist(), clips["source_version"].to_pylist(), strict=True)
    return [full_name(*pair) for pair in pairs]
