"""The export to a Lance table, by Lance's writer for Ray Data."""

import warnings
from collections.abc import Iterator

import lance
import lance_ray
import pyarrow as pa
import ray.data

from pipelines.errors import RunError
from pipelines.exports.tables.rows import DATASET_ID
from pipelines.storage import address

# Ray starts its processes by a fork that is followed by another program.
warnings.filterwarnings("ignore", message="lance is not fork-safe")
COLUMNS = ["row_id", DATASET_ID.name]


class LanceTable:
    """A Lance table, see `rows.Table`.

    Args:
        uri: a path or a URI of an object store, for which Lance reads its environment variables.
    """

    def __init__(self, uri: str) -> None:
        # Absolute: workers have a working directory of their own.
        self.uri = self.name = address(uri, "table")

    def prepare(self, schema: pa.Schema) -> pa.Schema:
        """See `Table`. New columns are null in the rows that are there."""
        try:
            table = lance.dataset(self.uri)
        except ValueError:
            table = lance.write_dataset(schema.empty_table(), self.uri, mode="create")
        if DATASET_ID.name not in table.schema.names:
            raise RunError(f"{self.name} has no column {DATASET_ID.name}: name a table of exports")
        added = [field for field in schema if field.name not in table.schema.names]
        if added:
            table.add_columns(pa.schema(added))
        return lance.dataset(self.uri).schema

    def rows(self, dataset_id: str | None = None) -> Iterator[pa.RecordBatch]:
        """See `Table`."""
        chosen = f"{DATASET_ID.name} = '{dataset_id}'" if dataset_id else None
        yield from lance.dataset(self.uri).to_batches(columns=COLUMNS, filter=chosen)

    def append(self, rows: ray.data.Dataset, schema: pa.Schema, dataset_id: str) -> None:
        """See `Table`."""
        lance_ray.write_lance(rows, self.uri, schema=schema, mode="append")
