"""The commit of a table as one file, with the summary that a phase reports of it."""

import pyarrow as pa

from pipelines.rows import Row, outcome
from pipelines.schema import OUTCOME
from pipelines.storage import Storage


def commit(
    output: Storage,
    name: str,
    table: pa.Table,
    key: str = "row_id",
    row_group_size: int | None = None,
) -> Row:
    """Write a table as one Parquet file.

    Args:
        output: the run's folder.
        name: the file, below the output.
        table: has the columns `schema.OUTCOME` and `key`.
        key: the column that identifies a row.
        row_group_size: rows of a row group; by default those of `pyarrow`.

    Returns:
        `rows.outcome` of the table's rows, and `problem`: why the file could not be written, or
        None.
    """
    rows = table.select([*OUTCOME, key]).to_pylist()
    problem = output.commit_table(name, table, row_group_size)
    return outcome(rows, key) | {"problem": problem}
