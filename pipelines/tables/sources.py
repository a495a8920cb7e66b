"""The sources of a run: what the last command with an input found there.

Clips of other sources, or of a file that was replaced since, stay in the output and are no part of
the dataset.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.schema import SOURCES, conform, extras_of, with_extras
from pipelines.storage import Storage

SOURCES_FILE = "sources.parquet"
VERSIONED = ("source_row", "source_version")
"""The columns that identify a source as it is now."""


def write_sources(output: Storage, sources: pa.Table) -> None:
    """Replace the sources of the run, a table of `schema.SOURCES` and the manifest's columns."""
    output.write_table(SOURCES_FILE, sources)


def read_sources(output: Storage, columns: Sequence[str] | None = None) -> pa.Table | None:
    """Returns the sources of the run; None in an output of an older version."""
    if not output.exists(SOURCES_FILE):
        return None
    if columns is not None:
        return output.read_table(SOURCES_FILE, list(columns))
    sources = output.read_table(SOURCES_FILE)
    # Older outputs lack columns.
    return conform(sources, with_extras(SOURCES, extras_of(sources.schema)))


def current(rows: pa.Table, sources: pa.Table | None) -> pa.Table:
    """Returns the rows that belong to the sources as they are now.

    Args:
        rows: have the columns source_row and source_version.
        sources: as `read_sources` returns them. None: all rows belong.
    """
    if sources is None:
        return rows
    place = pc.index_in(rows["source_row"], sources["source_row"])
    now = sources["source_version"].take(place)
    # Rows of older versions have no version, and files that cannot be read have none either.
    same = pc.fill_null(pc.equal(rows["source_version"], now), True)
    return rows.filter(pc.and_(pc.is_valid(place), same))
