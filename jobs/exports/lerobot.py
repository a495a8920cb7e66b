"""The job of `strmatch export lerobot`."""

from collections.abc import Iterable

from jobs.exports.command import opened
from pipelines.errors import RunError
from pipelines.exports.edits import PublishedDataset
from pipelines.exports.lerobot.export import LeRobotExport, prepare
from pipelines.progress import progress
from pipelines.sources.lerobot.address import SCHEME, dataset_root, is_lerobot
from pipelines.sources.lerobot.dataset import open_dataset
from pipelines.storage import Storage
from pipelines.tables.record import read_record


def run(
    output: str,
    to: str,
    source: str | None,
    version: str,
    originals: float,
    assignments: Iterable[str],
) -> None:
    """Export the edited episodes of a run.

    Args:
        output, to, assignments: as for `jobs.exports.command.run`.
        source: the LeRobot dataset that was edited; None: the run's input.
        version: of the format, v3.0 or v2.1.
        originals: share of the source's episodes that are exported beside the edited ones, 0–1.
    """
    dataset, destination = opened(output, to, assignments)
    root = dataset_root(source_address(dataset, source))
    found = open_dataset(Storage(root, dataset.output.options))
    export = prepare(dataset, found, version, originals)
    parts = sum(1 for _ in progress(export.run(destination), "export", None))
    _summarise(export, destination, already=not parts)


def source_address(dataset: PublishedDataset, source: str | None) -> str:
    """Returns the address of the LeRobot dataset, `lerobot://…`.

    Raises:
        RunError: neither the user nor the run names one.
    """
    if source is not None:
        return source if is_lerobot(source) else SCHEME + source
    record = read_record(dataset.output)
    if record is None or record.input is None or not is_lerobot(record.input):
        raise RunError(
            f"{dataset.output}: the run names no input lerobot://…, name the LeRobot dataset by "
            "--source"
        )
    return record.input


def _summarise(export: LeRobotExport, to: Storage, already: bool) -> None:
    episodes = export.plan.episodes
    edited = sum(1 for planned in episodes if planned.edited)
    frames = sum(planned.source.length for planned in episodes)
    state = "already complete: " if already else ""
    print(
        f"  {to}: {state}{edited} edited episodes and {len(episodes) - edited} of the source, "
        f"{frames} frames"
    )
    if export.left_out:
        reasons = (f"{count} {reason}" for reason, count in sorted(export.left_out.items()))
        print(f"  left out: {', '.join(reasons)}")
