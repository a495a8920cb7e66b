"""The job of `strmatch export`: a format, with progress and a summary."""

from collections import Counter, deque
from collections.abc import Iterable

from pipelines.config.loading import load_config
from pipelines.errors import RunError
from pipelines.exports.base import Format, export, is_complete, parts_of
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
    counts = counted(dataset)
    already = is_complete(dataset, format, destination)
    if not already:
        steps = export(dataset, format, destination)
        deque(progress(steps, "export", len(parts_of(dataset, format))), maxlen=0)
    print_summary(destination, counts, already)


def opened(output: str, to: str, assignments: Iterable[str]) -> tuple[PublishedDataset, Storage]:
    """Returns the dataset of a run and the destination of its export.

    Raises:
        RunError: see `PublishedDataset`.
    """
    options = load_config(assignments=assignments).execution.storage_options
    return PublishedDataset(Storage(output, options)), Storage(to, options)


def counted(dataset: PublishedDataset) -> Counter[tuple[str, str]]:
    """Returns the number of rows of a dataset by level and status.

    Raises:
        RunError: no edit is ok.
    """
    counts = dataset.counts()
    if not counts["edit", "ok"]:
        raise RunError(f"{dataset.output} has no edit that is ok: there is nothing to export")
    return counts


def print_summary(to: object, counts: Counter[tuple[str, str]], already: bool) -> None:
    """Print how many edits were exported and how many rows were left out, and why.

    Args:
        to: the destination.
        counts: rows of the dataset by level and status.
        already: the destination held the complete export before.
    """
    left: Counter[str] = Counter()
    for (level, status), rows in counts.items():
        if (level, status) == ("edit", "ok"):
            continue
        left[f"{status} edits" if level == "edit" else "clips or sources without an edit"] += rows
    state = "already complete: " if already else ""
    print(f"  {to}: {state}{counts['edit', 'ok']} edits")
    if left:
        print(f"  left out: {', '.join(f'{rows} {what}' for what, rows in sorted(left.items()))}")
