"""The format `videofolder`: MP4 files and `metadata.jsonl`, which `datasets` loads as videos."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa

from pipelines.exports import described, videos
from pipelines.exports.lists import json_lines
from pipelines.rows import Row
from pipelines.storage import Storage


class VideoFolder:
    """Writes `metadata.jsonl`, whose `source_file_name` and `target_file_name` load as videos.

    Args:
        inverse: whether further rows of each edit lead from the edit back to the source.
        count: rows of each edit in each direction, with the instruction in different words.
    """

    name = "videofolder"
    part_bytes = 0

    def __init__(self, inverse: bool = False, count: int = 1) -> None:
        self.settings = {"inverse": inverse, "wordings": count}
        self.inverse = inverse
        self.count = count

    def columns(self, schema: pa.Schema) -> Sequence[str]:
        """See `Format`."""
        return [*videos.COLUMNS, *described.columns(schema)]

    def write_part(self, to: Storage, number: int, edits: Iterable[Row]) -> Iterator[Row]:
        """See `Format`."""
        for edit in videos.with_files(to, edits):
            for row in described.described(edit, self.count, self.inverse):
                source, target = row.pop("source_file"), row.pop("target_file")
                yield {"source_file_name": source, "target_file_name": target, **row}

    def finish(self, to: Storage, entries: Callable[[], Iterator[Row]]) -> None:
        """See `Format`."""
        to.write_chunks("metadata.jsonl", json_lines(entries()))
