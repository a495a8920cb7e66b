"""The export to an Iceberg table, by Ray Data's writer."""

from collections.abc import Iterator

import pyarrow as pa
import ray.data
from pyiceberg.catalog import load_catalog
from pyiceberg.expressions import AlwaysTrue, EqualTo

from pipelines.errors import RunError
from pipelines.exports.tables.rows import DATASET_ID
from pipelines.schema import MEANING

COLUMNS = ("row_id", DATASET_ID.name)
SNAPSHOT_KEY = "strmatch.dataset"
"""The key of a snapshot's summary that names the dataset."""


class IcebergTable:
    """An Iceberg table, see `rows.Table`.

    Args:
        identifier: namespace.table.
        catalog: name of a catalogue in the configuration of pyiceberg.

    Raises:
        RunError: the identifier has no namespace, or the catalogue cannot be loaded.
    """

    def __init__(self, identifier: str, catalog: str) -> None:
        namespace = identifier.rpartition(".")[0]
        if not namespace:
            raise RunError(f"--to {identifier}: write namespace.table")
        self.name = identifier
        self.namespace = namespace
        self.catalog_name = catalog
        try:
            self.catalog = load_catalog(catalog)
        except Exception as error:  # catalogues have exceptions of their own
            raise RunError(
                f"the Iceberg catalogue {catalog} cannot be loaded ({error}): describe it in "
                f".pyiceberg.yaml or in PYICEBERG_CATALOG__{catalog.upper()}__URI"
            ) from error

    def prepare(self, schema: pa.Schema) -> pa.Schema:
        """See `Table`. New columns are null in the rows that are there."""
        written = iceberg_schema(schema)
        self.catalog.create_namespace_if_not_exists(self.namespace)
        table = self.catalog.create_table_if_not_exists(self.name, written)
        there = [field.name for field in table.schema().fields]
        if DATASET_ID.name not in there:
            raise RunError(f"{self.name} has no column {DATASET_ID.name}: name a table of exports")
        if not set(written.names) <= set(there):
            with table.update_schema() as update:
                update.union_by_name(written)
        return written

    def rows(self, dataset_id: str | None = None) -> Iterator[pa.RecordBatch]:
        """See `Table`."""
        chosen = EqualTo(DATASET_ID.name, dataset_id) if dataset_id else AlwaysTrue()
        table = self.catalog.load_table(self.name)
        scan = table.scan(row_filter=chosen, selected_fields=COLUMNS)
        yield from (batch for batch in scan.to_arrow_batch_reader() if len(batch))

    def append(self, rows: ray.data.Dataset, schema: pa.Schema, dataset_id: str) -> None:
        """See `Table`."""
        rows.write_iceberg(
            self.name,
            catalog_kwargs={"name": self.catalog_name},
            snapshot_properties={SNAPSHOT_KEY: dataset_id},
        )


def iceberg_schema(schema: pa.Schema) -> pa.Schema:
    """Returns a schema with types of Iceberg, and the meaning of columns as their comments."""
    return pa.schema([_iceberg_field(field) for field in schema])


def _iceberg_field(field: pa.Field) -> pa.Field:
    meaning = (field.metadata or {}).get(MEANING)
    comment = {"doc": meaning} if meaning else None
    return pa.field(field.name, _iceberg_type(field.type), metadata=comment)


_CONVERTED = (
    (pa.types.is_timestamp, lambda kind: pa.timestamp("us", kind.tz and "UTC")),
    (pa.types.is_time, lambda _: pa.time64("us")),
    (pa.types.is_duration, lambda _: pa.int64()),
    (pa.types.is_float16, lambda _: pa.float32()),
    (pa.types.is_uint32, lambda _: pa.int64()),
    (pa.types.is_uint64, lambda _: pa.decimal128(20, 0)),
    (pa.types.is_decimal256, lambda _: pa.string()),
)
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


def _iceberg_type(kind: pa.DataType) -> pa.DataType:
    """Returns the type of Iceberg that holds the values of a type."""
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _iceberg_type(field.type)) for field in kind])
    if any(holds(kind) for holds in _LISTS):
        return pa.list_(_iceberg_type(kind.value_type))
    return next((of(kind) for holds, of in _CONVERTED if holds(kind)), kind)
