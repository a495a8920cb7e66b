"""The MP4 files of an export, named by ids, so that no name of a source can break a path."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from pipelines.exports.edits import ROWS_AT_ONCE
from pipelines.rows import Row
from pipelines.storage import Storage

COLUMNS = ("row_id", "clip_id", "source_video", "edited_video")
"""The columns that `with_files` reads."""


def video_file(name: str) -> str:
    """Returns the file of a video, in one of 256 folders: the Hub takes 10,000 files a folder.

    Args:
        name: a row_id or clip_id, hexadecimal.
    """
    return f"videos/{name[:2]}/{name}.mp4"


def with_files(to: Storage, edits: Iterable[Row]) -> Iterator[Row]:
    """Write source and edit of each row; yields the rows when both are written.

    Targets of a clip share the file of the source. Each row gets `source_file` and `edited_file`,
    relative to the destination, in place of the videos.
    """
    rows, last = iter(edits), ""
    with ThreadPoolExecutor(ROWS_AT_ONCE) as pool:
        while some := list(islice(rows, ROWS_AT_ONCE)):
            files: dict[str, bytes] = {}
            for row in some:
                row["source_file"] = video_file(row["clip_id"])
                row["edited_file"] = video_file(row["row_id"])
                source, edited = row.pop("source_video"), row.pop("edited_video")
                if row["source_file"] != last:
                    files[row["source_file"]] = source
                files[row["edited_file"]] = edited
                last = row["source_file"]
            list(pool.map(to.write, files, files.values()))
            yield from some
