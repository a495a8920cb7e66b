"""The format `pairs`: a list of source, edit and instruction beside MP4 files.

Trainers of video editors read such lists, as CSV or as JSON lines.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator

from pipelines.exports.videos import COLUMNS, with_files
from pipelines.rows import Row
from pipelines.storage import Storage

FIELDS = ("src_video", "tgt_video", "prompt")


class Pairs:
    """Writes `pairs.csv` and `pairs.jsonl` with `FIELDS`; videos are relative to their folder.

    Args:
        inverse: whether a further line of each edit leads from the edit back to the source.
    """

    name = "pairs"
    columns = (*COLUMNS, "source_prompt", "target_prompt")

    def __init__(self, inverse: bool = False) -> None:
        self.settings = {"inverse": inverse}
        self.inverse = inverse

    def write_part(self, to: Storage, number: int, edits: Iterable[Row]) -> Iterator[Row]:
        """See `Format`."""
        for row in with_files(to, edits):
            source, edited = row["source_file"], row["edited_file"]
            yield _pair(
                source, edited, f"Turn “{row['source_prompt']}” into “{row['target_prompt']}”."
            )
            if self.inverse:
                yield _pair(
                    edited, source, f"Turn “{row['target_prompt']}” into “{row['source_prompt']}”."
                )

    def finish(self, to: Storage, entries: Callable[[], Iterator[Row]]) -> None:
        """See `Format`."""
        to.write_chunks("pairs.jsonl", map(json_line, entries()))
        to.write_chunks("pairs.csv", csv_lines(FIELDS, entries()))


def _pair(source: str, target: str, prompt: str) -> Row:
    return dict(zip(FIELDS, (source, target, prompt), strict=True))


def json_line(entry: Row) -> bytes:
    """Returns an entry as a line of JSON."""
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def csv_lines(fields: Iterable[str], entries: Iterable[Row]) -> Iterator[bytes]:
    """Yields a header and entries as lines of CSV (RFC 4180)."""
    line = io.StringIO()
    writer = csv.DictWriter(line, list(fields))
    writer.writeheader()
    for entry in entries:
        yield _taken(line)
        writer.writerow(entry)
    yield _taken(line)


def _taken(text: io.StringIO) -> bytes:
    data = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return data
