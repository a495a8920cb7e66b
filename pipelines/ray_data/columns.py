"""The columns of a user's dataset, and ours beside them."""

from collections.abc import Sequence

import pyarrow as pa

from pipelines.rows import Row
from pipelines.schema import CLIPS, DATASET, rows_table
from pipelines.sources.manifest_file import is_carried_as

INTERNAL = ("source_row", "source_version", "clips_in_source", "found_row", "found_file")
ANNOTATED = pa.schema([field for field in CLIPS if field.name not in INTERNAL])
"""The columns of `annotate`: those of `schema.CLIPS` that need no files of a run."""


def beside(
    table: pa.Table, origins: Sequence[int], rows: Sequence[Row], ours: pa.Schema
) -> pa.Table:
    """Returns rows of a batch with our columns.

    Args:
        table: the batch.
        origins: the row of the batch that each result belongs to.
        rows: the results.
        ours: the columns of the results. They replace columns of the same names.
    """
    made = rows_table(rows, ours)
    taken = {*ours.names, *ANNOTATED.names, *DATASET.names}
    own = [name for name in table.column_names if name not in taken]
    kept = table.select(own).take(pa.array(origins, pa.int64()))
    return pa.Table.from_arrays(
        [*kept.columns, *made.columns], schema=pa.schema([*kept.schema, *made.schema])
    )


def renamed(table: pa.Table) -> pa.Table:
    """Returns a user's batch; columns whose names are reserved are called manifest_….

    The rule is that of a run for the columns of a manifest.
    """
    names = [f"manifest_{name}" if is_carried_as(name) else name for name in table.column_names]
    return table.rename_columns(names)


def require(table: pa.Table, names: Sequence[str], function: str) -> None:
    """Check that a batch has columns.

    Raises:
        ValueError: names the first missing column, and the function that sets it.
    """
    for name in names:
        if name not in table.column_names:
            raise ValueError(f"the dataset has no column {name!r}, which {function} reads")
