"""The label of a clip: a column of a table, or a field within a column."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import InputError
from pipelines.rows import Row


@dataclass(frozen=True)
class Label:
    """Where the label of a row is."""

    column: str
    fields: Sequence[str] = ()
    """Names of the nested field within the column, which holds structs or JSON objects."""

    def __call__(self, row: Row, place: str) -> str:
        """Returns the label of a row as text.

        Args:
            row: has the column.
            place: names the row in messages.

        Raises:
            InputError: the row has no label, or one that is neither text, number nor truth value.
        """
        value = row[self.column]
        for field in self.fields:
            value = _fields(value).get(field)
        name = ".".join((self.column, *self.fields))
        if value is None or value != value or value == "":
            raise InputError(f"{place}: no label in {name}: name another --label, or label the row")
        if not isinstance(value, str | int | float):
            raise InputError(f"{place}: {name} is no text, number or truth value: {value!r:.80}")
        return str(value)


def find_label(path: str, names: Sequence[str], owner: str) -> Label:
    """Returns where a label is.

    Args:
        path: the name of a column, or of a field of it with dots between: `meta.action`.
        names: of the columns.
        owner: what has these columns, for messages.

    Raises:
        InputError: there is no such column.
    """
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        column = ".".join(parts[:end])
        if column in names:
            return Label(column, tuple(parts[end:]))
    raise InputError(f"{owner} has no column {path} for --label; it has {', '.join(names)}")


def _fields(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}
