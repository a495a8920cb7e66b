"""Lines of the lists that exports write: JSON and CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

from pipelines.rows import Row


def json_lines(entries: Iterable[Row]) -> Iterator[bytes]:
    """Yields entries as lines of JSON."""
    for entry in entries:
        yield json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def csv_lines(fields: Sequence[str], entries: Iterable[Row]) -> Iterator[bytes]:
    """Yields a header and entries as lines of CSV (RFC 4180)."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fields)
    writer.writeheader()
    for entry in entries:
        yield _taken(text)
        writer.writerow(entry)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    data = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return data
