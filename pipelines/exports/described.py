"""Rows with all that the dataset tells of an edit, for formats with metadata."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as types

from pipelines.english import instructions
from pipelines.rows import Row

LEFT_OUT = ("level", "status", "error_stage", "error_type", "error_message")
"""Columns that say the same of all edits that are ok."""
TURNED = (
    ("source_file", "edited_file"),
    ("source_prompt", "target_prompt"),
    ("source_word", "target_word"),
)
"""Pairs of columns that change places on the way back."""


def columns(schema: pa.Schema) -> Sequence[str]:
    """Returns the columns of a dataset that are text, numbers or truth values.

    Names that end as those of columns with files are left out, because loaders open the files.
    """
    plain = [
        field.name
        for field in schema
        if _is_plain(field.type)
        and field.name not in LEFT_OUT
        and not field.name.endswith(("file_name", "file_names"))
    ]
    return list(dict.fromkeys((*plain, *instructions.COLUMNS)))


def described(row: Row, count: int, inverse: bool) -> Iterator[Row]:
    """Yields a row for each instruction: `source_file`, `target_file`, and the dataset's columns.

    Args:
        row: an edit with `columns`, `source_file` and `edited_file`.
        count: number of instructions in each direction, in different words.
        inverse: whether further rows lead from the edit back to the source. `inverse` tells the
            two apart.
    """
    told = instructions.instructions(row)
    row = {name: value for name, value in row.items() if name != "edits"}
    yield from _rows(row, told.there[:count], told.back[0], False)
    if inverse:
        turned = {b: row[a] for a, b in TURNED} | {a: row[b] for a, b in TURNED}
        yield from _rows(row | turned, told.back[:count], told.there[0], True)


def _rows(row: Row, texts: Sequence[str], way_back: str, inverse: bool) -> Iterator[Row]:
    plain = {name: _json(value) for name, value in row.items()}
    files = {"source_file": plain.pop("source_file"), "target_file": plain.pop("edited_file")}
    for text in texts:
        told = {"instruction": text, "inverse_instruction": way_back}
        yield files | plain | told | {"inverse": inverse}


def _is_plain(type: pa.DataType) -> bool:
    kinds = (types.is_string, types.is_large_string, types.is_floating, types.is_integer)
    return any(is_kind(type) for is_kind in (*kinds, types.is_boolean))


def _json(value: Any) -> Any:
    """Returns a value that JSON has: a number that is not finite is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
