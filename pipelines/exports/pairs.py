"""The format `pairs`: a list of source, edit and instruction beside MP4 files.

Trainers of video editors read such lists, as CSV or as JSON lines.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa

from pipelines.english import instructions
from pipelines.exports import videos
from pipelines.exports.lists import csv_lines, json_lines
from pipelines.rows import Row
from pipelines.storage import Storage

FIELDS = ("src_video", "tgt_video", "prompt")


class Pairs:
    """Writes `pairs.csv` and `pairs.jsonl` with `FIELDS`; videos are relative to their folder.

    Args:
        inverse: whether further lines of each edit lead from the edit back to the source.
        count: lines of each edit in each direction, with the instruction in different words.
    """

    name = "pairs"
    part_bytes = 0

    def __init__(self, inverse: bool = False, count: int = 1) -> None:
        self.settings = {"inverse": inverse, "wordings": count}
        self.inverse = inverse
        self.count = count

    def columns(self, schema: pa.Schema) -> Sequence[str]:
        """See `Format`."""
        return [*videos.COLUMNS, *instructions.COLUMNS]

    def write_part(self, to: Storage, number: int, edits: Iterable[Row]) -> Iterator[Row]:
        """See `Format`."""
        for row in videos.with_files(to, edits):
            source, edited = row["source_file"], row["edited_file"]
            told = instructions.instructions(row)
            for text in told.there[: self.count]:
                yield dict(zip(FIELDS, (source, edited, text), strict=True))
            for text in told.back[: self.count] if self.inverse else ():
                yield dict(zip(FIELDS, (edited, source, text), strict=True))

    def finish(self, to: Storage, entries: Callable[[], Iterator[Row]]) -> None:
        """See `Format`."""
        to.write_chunks("pairs.jsonl", json_lines(entries()))
        to.write_chunks("pairs.csv", csv_lines(FIELDS, entries()))
