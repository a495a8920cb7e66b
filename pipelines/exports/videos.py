"""The MP4 files of an export, named so that no name of a source can break a path."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from pipelines.ids import content_id
from pipelines.rows import Row
from pipelines.storage import Storage

COLUMNS = ("row_id", "source_video", "edited_video")
"""The columns that `with_files` reads."""
ROWS_AT_ONCE = 4
"""Edits whose videos are in memory, and are written at the same time."""
_PLAIN = re.compile(r"[0-9A-Za-z_-]{2,64}")


def plain_name(row_id: str) -> str:
    """Returns the id of a row, or a hash of an id that has other characters than ours have."""
    return row_id if _PLAIN.fullmatch(row_id) else content_id(row=row_id)


def with_files(to: Storage, edits: Iterable[Row]) -> Iterator[Row]:
    """Write source and edit of each row; yields the rows when both are written.

    An edit is named by its id and a source by its content, so that targets of a clip share the
    file. Each row gets `source_file` and `edited_file`, relative to the destination, in place of
    the videos.
    """
    rows, last = iter(edits), ""
    with ThreadPoolExecutor(2 * ROWS_AT_ONCE) as pool:
        while some := list(islice(rows, ROWS_AT_ONCE)):
            files: dict[str, bytes] = {}
            for row in some:
                row["source_file"], row["edited_file"] = file_names(row)
                source, edited = row.pop("source_video"), row.pop("edited_video")
                if row["source_file"] != last:
                    files[row["source_file"]] = source
                files[row["edited_file"]] = edited
                last = row["source_file"]
            list(pool.map(to.write, files, files.values()))
            yield from some


def file_names(row: Row) -> tuple[str, str]:
    """Returns the files of source and edit of a row with row_id and source_video."""
    source = hashlib.sha256(row["source_video"]).hexdigest()[:32]
    return _file(source), _file(plain_name(row["row_id"]))


def _file(name: str) -> str:
    """Returns the file of a name, in a folder of many: the Hub takes 10,000 files a folder."""
    return f"videos/{name[:2]}/{name}.mp4"
