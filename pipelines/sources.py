"""List the source videos of an input: a folder, a glob, one video, or a manifest."""

import csv
import io
import json
import logging
import math
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from pipelines.errors import InputError
from pipelines.ids import content_id, source_row_id
from pipelines.schema import SOURCES, is_taken, rows_table, with_extras
from pipelines.storage import Storage, filesystem
from strmatch.weights.remote import is_remote

log = logging.getLogger(__name__)

VIDEO = (
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".ogv", ".ts", ".webm", ".wmv", ".y4m"),
)
# Audio files are listed too, and become failed rows instead of being dropped silently.
AUDIO = (".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav")
MANIFEST = (".parquet", ".jsonl", ".ndjson", ".csv")
AT_ONCE = 10_000  # rows converted to Python objects at a time, to bound memory
KNOWN = ("uri", "id", "caption", "subject", "targets", "mask_uri", "mask_label", "start_seconds")


def find_sources(
    uri: str,
    options: Mapping[str, Any],
    limit: int | None = None,
    exclude: Storage | None = None,
) -> pa.Table:
    """List the sources behind `uri`.

    Args:
        uri: a folder (searched recursively), a glob, a video, or a manifest (.parquet, .jsonl,
            .csv) with at least a column `uri`; on a disk or under any fsspec URI.
        options: storage options of fsspec.
        limit: maximum number of sources, taken from the start of the list; None for all.
        exclude: a folder whose videos are ignored, because the output may lie inside the input.

    Returns:
        A table of `schema.SOURCES` followed by the further columns of the manifest. The column
        `problem` holds the reason why a row cannot be used, else null.

    Raises:
        InputError: the input has no videos, or cannot be read.
    """
    try:
        fs, root = filesystem(uri, options)
        root = root.rstrip("/")
        if fs.isdir(root):
            found = fs.find(root)
            if exclude and exclude.root == root:
                raise InputError(f"output {exclude} is the input folder itself: choose another")
            if exclude:
                found = [path for path in found if not path.startswith(f"{exclude.root}/")]
            table = _from_paths(fs, uri, root, found)
        elif fs.isfile(root):
            if root.lower().endswith(MANIFEST):
                table = _from_manifest(fs, uri, root)
            else:
                table = _from_paths(fs, uri, posixpath.dirname(root), [root], any_suffix=True)
        elif any(letter in root for letter in "*?["):
            fixed = posixpath.dirname(root[: min(root.find(c) for c in "*?[" if c in root)])
            table = _from_paths(fs, uri, fixed, fs.glob(root), any_suffix=True)
        else:
            raise InputError(f"input {uri}: there is no such file or folder")
    except InputError:
        raise
    except Exception as error:  # object stores have exceptions of their own
        raise InputError(f"input {uri}: {error}") from error
    if not len(table):
        raise InputError(f"input {uri}: no videos found there")
    return table if limit is None else table.slice(0, limit)


def _from_paths(
    fs: Any, uri: str, root: str, paths: Iterable[str], any_suffix: bool = False
) -> pa.Table:
    kept, ignored = [], Counter[str]()
    for path in sorted(paths):
        relative = posixpath.relpath(path, root)
        suffix = posixpath.splitext(path)[1].lower()
        if any(part.startswith(".") for part in relative.split("/")):
            continue
        if any_suffix or suffix in VIDEO or suffix in AUDIO:
            kept.append({"source_uri": relative, "location": fs.unstrip_protocol(path)})
        else:
            ignored[suffix or "without a suffix"] += 1
    if ignored:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in ignored.most_common(5))
        log.warning("input %s: %d files are no videos (%s)", uri, ignored.total(), counts)
    return _named(kept).cast(with_extras(SOURCES, pa.schema([])))


def _from_manifest(fs: Any, uri: str, path: str) -> pa.Table:
    table = _read_manifest(fs, uri, path)
    if "uri" not in table.column_names:
        raise InputError(
            f"manifest {uri}: no column 'uri'; it has {', '.join(table.column_names) or 'none'}"
        )
    folder = posixpath.dirname(path)
    known = table.select([name for name in KNOWN if name in table.column_names])
    rows = (row for batch in known.to_batches(AT_ONCE) for row in batch.to_pylist())
    base = _named(_with_ids(uri, (_source(row, fs, folder) for row in rows)))

    extras = {}
    for name in table.column_names:
        if name in KNOWN:
            continue
        kept = f"manifest_{name}" if is_taken(name) else name
        if kept != name:
            log.warning("manifest %s: column %s is carried as %s", uri, name, kept)
        column = table.column(name)
        # Other readers reject the null type of a column without values.
        extras[kept] = column.cast(pa.string()) if pa.types.is_null(column.type) else column
    fields = pa.schema([(name, column.type) for name, column in extras.items()])
    return pa.Table.from_arrays(
        [*base.columns, *extras.values()], schema=with_extras(SOURCES, fields)
    )


def _read_manifest(fs: Any, uri: str, path: str) -> pa.Table:
    try:
        with fs.open(path, "rb") as file:
            if path.lower().endswith("parquet"):
                return pq.read_table(file)
            if path.lower().endswith("csv"):
                return _read_csv(file)
            return _read_json_lines(file, uri)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"manifest {uri}: {' '.join(str(error).split())}") from error


def _read_json_lines(file: Any, uri: str) -> pa.Table:
    rows = []
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"manifest {uri}, line {number}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise InputError(f"manifest {uri}, line {number}: not a JSON object")
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except pa.ArrowException as error:
            if name in KNOWN:  # checked per row later: a wrong cell fails one row only
                columns[name] = pa.array([_as_text(value) for value in values])
                continue
            raise InputError(f"manifest {uri}, column {name}: mixed types ({error})") from None
    return pa.table(columns)


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _read_csv(file: Any) -> pa.Table:
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True, null_values=[""])
    parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
    data = file.read()
    # Not by pyarrow's streaming reader, whose thread may abort a process that ends at once.
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", errors="replace", newline="")
    header = next(csv.reader(text), [])
    options.column_types = dict.fromkeys(header, pa.string())
    table = pyarrow.csv.read_csv(
        pa.BufferReader(data), parse_options=parsing, convert_options=options
    )
    typed = [
        column if name in KNOWN else _typed(column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return pa.table(typed, names=table.column_names)


def _typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert text to integers, floats or booleans if the conversion is lossless.

    A column with "007" stays text.
    """
    for kind in (pa.int64(), pa.float64(), pa.bool_()):
        try:
            typed = column.cast(kind)
        except pa.ArrowInvalid:
            continue
        if pc.all(pc.equal(typed.cast(pa.string()), column)).as_py():
            return typed
    return column


def _source(row: Mapping[str, Any], fs: Any, folder: str) -> dict[str, Any]:
    """Convert a manifest row to a row of `SOURCES`, with any errors in `problem`."""
    uri, mask_uri = row.get("uri"), row.get("mask_uri")
    problems: list[str] = []
    source: dict[str, Any] = {
        "source_id": None if row.get("id") is None else str(row["id"]),
        "source_uri": uri if isinstance(uri, str) else None,
        "caption": _words("caption", row, problems),
        "subject": _words("subject", row, problems),
        "start_seconds": _seconds(row.get("start_seconds"), problems),
        "targets": _targets(row.get("targets"), problems),
        "mask_uri": None if mask_uri is None else str(mask_uri),
        "mask_label": _label(row.get("mask_label"), problems),
        "location": None,
        "mask_location": None,
    }
    if not isinstance(uri, str) or not uri:
        problems.append("uri is missing")
    else:
        source["location"] = _resolve(uri, fs, folder, "uri", problems)
    if mask_uri is not None:
        source["mask_location"] = _resolve(str(mask_uri), fs, folder, "mask_uri", problems)
    return source | {"problem": "; ".join(problems) or None}


def _resolve(uri: str, fs: Any, folder: str, name: str, problems: list[str]) -> str | None:
    if is_remote(uri) or uri.startswith("/"):
        return uri
    path = posixpath.normpath(posixpath.join(folder, uri))
    if not path.startswith(f"{folder}/"):
        problems.append(f"{name} {uri} leaves the manifest's folder")
        return None
    return fs.unstrip_protocol(path)


def _words(name: str, row: Mapping[str, Any], problems: list[str]) -> str | None:
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        problems.append(f"{name} must be a text that is not empty")
        return None
    return value


def _seconds(value: Any, problems: list[str]) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        problems.append(f"start_seconds must be a number ≥ 0, got {value!r}")
        return None
    return seconds


def _label(value: Any, problems: list[str]) -> int | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (number.is_integer() and 0 <= number < 2**16):
        problems.append(f"mask_label must be a whole number from 0 to 65535, got {value!r}")
        return None
    return int(number)


def _targets(value: Any, problems: list[str]) -> list[str] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            problems.append(f"targets must be a JSON list of texts, got {value!r}")
            return None
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(t, str) and t.strip() for t in value):
        problems.append(f"targets must be a list of texts, got {value!r}")
        return None
    return value or None


def _named(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Set `source_row` from the content of the row and the number of equal rows before it."""
    before = Counter[str]()
    tables = [SOURCES.empty_table()]
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        for row in some:
            name = source_row_id(row)
            row["source_row"] = content_id(row=name, before=before[name])
            before[name] += 1
        tables.append(rows_table(some, SOURCES))
    return pa.concat_tables(tables)


def _with_ids(uri: str, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rows unchanged.

    Raises:
        InputError: an id is used for two videos.
    """
    named: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        first = named.setdefault(row["source_id"], row["source_uri"])
        if row["source_id"] is not None and first != row["source_uri"]:
            raise InputError(
                f"manifest {uri}, row {number}: id {row['source_id']!r} already names {first!r}, "
                f"not {row['source_uri']!r}; an id belongs to one video"
            )
        yield row
