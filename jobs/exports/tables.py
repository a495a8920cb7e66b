"""The jobs of `strmatch export iceberg` and `strmatch export lance`."""

from collections.abc import Callable, Iterable

from jobs.exports.command import counted, print_summary
from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.errors import RunError
from pipelines.exports.edits import PublishedDataset
from pipelines.exports.tables.rows import Table, append, lacks, write_videos
from pipelines.progress import progress
from pipelines.storage import Storage


def run(
    output: str, videos: str, open_table: Callable[[], Table], assignments: Iterable[str]
) -> None:
    """Append the edits of a run that are ok to a table, once.

    Args:
        output: folder or fsspec URI of the run.
        videos: folder or fsspec URI of the MP4 files.
        open_table: returns the table.
        assignments: settings `execution.…=value`, for the cluster and for object stores.
    """
    execution = load_config(assignments=assignments).execution
    dataset = PublishedDataset(Storage(output, execution.storage_options))
    folder, table = Storage(videos, execution.storage_options), open_table()
    counts = counted(dataset)
    lacking = lacks(dataset, table)
    if lacking:
        for _ in progress(write_videos(dataset, folder), "videos", None):
            pass
        with cluster(execution):
            append(dataset, folder, table)
    print_summary(table.name, counts, already=not lacking)


def iceberg(identifier: str, catalog: str) -> Table:
    """Returns a table of a catalogue.

    Raises:
        RunError: pyiceberg is not installed; see `IcebergTable`.
    """
    try:
        from pipelines.exports.tables.iceberg import IcebergTable
    except ModuleNotFoundError as error:
        raise RunError(f"{error}: pip install 'strmatch[iceberg]'") from error
    return IcebergTable(identifier, catalog)


def lance(uri: str) -> Table:
    """Returns a table in a folder or an object store.

    Raises:
        RunError: Lance is not installed.
    """
    try:
        from pipelines.exports.tables.lance import LanceTable
    except ModuleNotFoundError as error:
        raise RunError(f"{error}: pip install 'strmatch[lance]'") from error
    return LanceTable(uri)
