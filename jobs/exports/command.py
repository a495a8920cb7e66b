"""The job of `strmatch export`: a format, with progress and a summary."""

from collections import Counter
from collections.abc import Iterable

from pipelines.config.loading import load_config
from pipelines.exports.base import Format, export
from pipelines.exports.edits import PublishedDataset
from pipelines.progress import progress
from pipelines.storage import Storage


def run(output: str, to: str, format: Format, assignments: Iterable[str]) -> None:
    """Export the edits of a run that are ok.

    Args:
        output: folder or fsspec URI of the run.
        to: folder or fsspec URI of the export.
        format: with its settings.
        assignments: settings `execution.…=value`, for access to object stores.
    """
    dataset, destination = opened(output, to, assignments)
    parts = sum(1 for _ in progress(export(dataset, format, destination), "export", None))
    print_summary(dataset, destination, already=not parts)


def opened(output: str, to: str, assignments: Iterable[str]) -> tuple[PublishedDataset, Storage]:
    """Returns the dataset of a run and the destination of its export.

    Raises:
        RunError: see `PublishedDataset`.
    """
    options = load_config(assignments=assignments).execution.storage_options
    return PublishedDataset(Storage(output, options)), Storage(to, options)


def print_summary(dataset: PublishedDataset, to: Storage, already: bool) -> None:
    """Print how many edits were exported and how many rows were left out, and why.

    Args:
        already: the destination held the complete export before.
    """
    counts = dataset.counts()
    ok = counts.pop(("edit", "ok"), 0)
    left: Counter[str] = Counter()
    for (level, status), rows in counts.items():
        left[f"{status} edits" if level == "edit" else "clips or sources without an edit"] += rows
    state = "already complete: " if already else ""
    print(f"  {to}: {state}{ok} edits")
    if left:
        print(f"  left out: {', '.join(f'{rows} {what}' for what, rows in sorted(left.items()))}")
