"""Read a manifest in Parquet, JSON lines or CSV as a table, with what is wrong in its rows."""

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from pipelines.errors import InputError
from pipelines.schema import is_taken
from pipelines.sources.plain_types import plain_type

SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".csv")
KNOWN = (
    *("uri", "id", "caption", "subject", "targets", "where", "mask_uri", "mask_label"),
    *("edits", "start_seconds"),
)
"""The columns that the pipeline reads. All others are carried to the dataset."""
CONVERSION_ERRORS = (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError)


class Manifest(NamedTuple):
    """The content of a manifest."""

    table: pa.Table
    places: Sequence[str]
    """Where each row stands, for messages: "line 3" or "row 3"."""
    problems: dict[int, list[str]]
    """What is wrong in a row, by the row's index, beyond what its known columns tell."""


def read_manifest(fs: Any, uri: str, path: str) -> Manifest:
    """Read a manifest.

    Raises:
        InputError: the manifest is unusable as a whole. Names the line and the column.
    """
    suffix = path.lower().rpartition(".")[2]
    try:
        with fs.open(path, "rb") as file:
            if suffix == "parquet":
                found = _numbered(pq.read_table(file))
            elif suffix == "csv":
                found = _numbered(_read_csv(file.read()))
            else:
                found = _read_json_lines(file)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"manifest {uri}: {' '.join(str(error).split())}") from error
    except ValueError as error:
        raise InputError(f"manifest {uri}{error}") from None
    return found._replace(table=_carried(found.table, uri))


def _numbered(table: pa.Table) -> Manifest:
    return Manifest(table, _Rows("row", len(table)), {})


class _Rows(Sequence[str]):
    """The places of rows that are numbered from 1."""

    def __init__(self, word: str, count: int) -> None:
        self._word, self._count = word, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return f"{self._word} {index + 1}"


# JSON lines


def _read_json_lines(file: Any) -> Manifest:
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    for number, line in enumerate(file, start=1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        try:
            row = json.loads(text.decode(), parse_constant=_constant)
        except UnicodeDecodeError as error:
            raise ValueError(f", line {number}: not UTF-8 ({error})") from None
        except ValueError as error:
            raise ValueError(f", line {number}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise ValueError(f", line {number}: not a JSON object")
        rows.append(row)
        places.append(f"line {number}")
    problems: dict[int, list[str]] = {}
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        convert = _known_array if name in KNOWN else _own_array
        columns[name] = convert(name, values, places, problems)
    return Manifest(pa.table(columns), places, problems)


def _constant(name: str) -> float | None:
    """Returns the value of a number that JSON does not have."""
    value = float(name)
    return None if math.isnan(value) else value


Problems = dict[int, list[str]]


def _known_array(
    name: str, values: list[Any], places: Sequence[str], problems: Problems
) -> pa.Array:
    """Returns a column that the pipeline reads. Mixed types are checked row by row later."""
    if any(_is_mixed(value) for value in values):
        values = [_as_text(value) for value in values]
    values = _without_bad_cells(name, values, problems)
    try:
        return pa.array(values)
    except CONVERSION_ERRORS:
        return pa.array([_as_text(value) for value in values], pa.string())


def _is_mixed(value: Any) -> bool:
    """Whether a value is a list of texts and objects, which no column can hold."""
    return isinstance(value, list) and {str, dict} <= {type(item) for item in value}


def _own_array(name: str, values: list[Any], places: Sequence[str], problems: Problems) -> pa.Array:
    """Returns a column that is carried.

    Raises:
        ValueError: values of different types.
    """
    values = _without_bad_cells(name, values, problems)
    try:
        column = pa.array(values)
    except CONVERSION_ERRORS:
        kinds: dict[str, str] = {}
        for value, place in zip(values, places, strict=True):
            if value is not None:
                kinds.setdefault(_kind(value), place)
        told = ", ".join(f"{kind} in {place}" for kind, place in kinds.items())
        raise ValueError(f", column {name}: mixed types ({told}); write one type") from None
    if _has_empty_struct(column.type):  # Parquet has no such type
        return pa.array([_as_text(value) for value in values], pa.string())
    return column


def _without_bad_cells(name: str, values: list[Any], problems: Problems) -> list[Any]:
    """Returns values with null for what no column can hold. Their rows have a problem."""
    try:
        pa.array(values)
    except CONVERSION_ERRORS:
        pass
    else:
        return values
    kept = []
    for index, value in enumerate(values):
        try:
            pa.array([value])
        except CONVERSION_ERRORS as error:
            problems.setdefault(index, []).append(f"{name} cannot be stored ({error})")
            value = None
        kept.append(value)
    return kept


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text"}
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")


def _has_empty_struct(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.num_fields == 0 or any(_has_empty_struct(field.type) for field in kind)
    return pa.types.is_list(kind) and _has_empty_struct(kind.value_type)


# CSV


def _read_csv(data: bytes) -> pa.Table:
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f", line {number}: not UTF-8 ({error})") from None
    parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
    # Not by pyarrow's streaming reader, whose thread may abort a process that ends at once.
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", errors="replace", newline="")
    header = next(csv.reader(text), [])
    options = pyarrow.csv.ConvertOptions(
        strings_can_be_null=True,
        null_values=[""],
        column_types=dict.fromkeys(header, pa.string()),
    )
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
    for kind in (pa.int64(), pa.uint64(), pa.float64(), pa.bool_()):
        try:
            typed = column.cast(kind)
        except pa.ArrowInvalid:
            continue
        if pc.all(pc.equal(typed.cast(pa.string()), column)).as_py():
            return typed
    return column


# Every format


def _carried(table: pa.Table, uri: str) -> pa.Table:
    """Returns the table with types that Parquet and its readers know, under free names.

    Raises:
        InputError: two columns have the same name.
    """
    names = [f"manifest_{name}" if is_carried_as(name) else name for name in table.column_names]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(
            f"manifest {uri}: two columns would be called {twice[0]!r}; rename one of them"
        )
    return pa.table([_plain(column) for column in table.columns], names=table.column_names)


def is_carried_as(name: str) -> bool:
    """Whether a column of the manifest is carried under the name manifest_…."""
    return name not in KNOWN and is_taken(name)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = plain_type(column.type)
    return column if kind == column.type else column.cast(kind)
