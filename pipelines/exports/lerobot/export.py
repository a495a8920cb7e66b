"""Exports the edits of a LeRobot dataset as a LeRobot dataset, part by part."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from pipelines.errors import RunError
from pipelines.exports.destination import Destination
from pipelines.exports.edits import PublishedDataset
from pipelines.exports.lerobot.edits import edited_episodes
from pipelines.exports.lerobot.finish import finish
from pipelines.exports.lerobot.layout import V21, V30, Layout
from pipelines.exports.lerobot.plan import Plan, divide, make_plan
from pipelines.exports.lerobot.write_part import WritePart
from pipelines.rows import Row
from pipelines.sources.lerobot.dataset import LeRobotDataset
from pipelines.storage import Storage

NAME = "lerobot"


class LeRobotExport(NamedTuple):
    """An export whose episodes are known. See `prepare`."""

    dataset: PublishedDataset
    source: LeRobotDataset
    layout: Layout
    plan: Plan
    originals: float
    left_out: Counter[str]
    """Episodes and targets that are not exported, by the reason."""

    def run(self, to: Storage) -> Iterator[Row]:
        """Write the export; yields a row for every part. Yields nothing if it is complete.

        Raises:
            RunError: the destination holds something else, or another process writes to it.
        """
        settings = {"version": self.layout.version, "originals": self.originals}
        settings["source"] = self.source.identity
        destination = Destination(to, NAME, self.dataset.identity, settings)
        if destination.is_complete():
            return
        parts = [*divide(self.plan.episodes, self.layout.frames_per_part)]
        columns = self.dataset.schema.names
        with destination.writing():
            done = destination.done()
            write = WritePart(self.dataset.output, columns, self.source, self.layout, self.plan, to)
            for number, episodes in enumerate(parts):
                if number not in done:
                    destination.commit(number, write(number, episodes))
                yield {"part": number, "episodes": len(episodes)}
            finish(self.source, self.layout, self.plan, to, lambda: destination.entries(len(parts)))


def prepare(
    dataset: PublishedDataset, source: LeRobotDataset, version: str, originals: float
) -> LeRobotExport:
    """Find the episodes of an export.

    Args:
        source: the dataset that the run edited.
        version: of the format, v3.0 or v2.1.
        originals: share of the source's episodes that are exported beside the edited ones, 0–1.

    Raises:
        RunError: the dataset was not made of the source, has no episode that is edited in all
            cameras, or its videos have another size.
    """
    edited = edited_episodes(dataset, source)
    if not edited.found:
        raise RunError(
            f"{dataset.output}: no episode has an edit that is ok in all of "
            f"{', '.join(edited.cameras)}, with the same target"
        )
    plan = make_plan(source, edited.found, originals)
    kept = [n for n in source.videos if originals or n not in edited.cameras]
    layout = V30(source, kept) if version == "v3.0" else V21(source)
    return LeRobotExport(dataset, source, layout, plan, originals, edited.left_out)
