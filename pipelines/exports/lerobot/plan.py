"""Which episodes an export has, with their numbers, tasks and parts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipelines.exports.lerobot.edits import EditedEpisode
from pipelines.exports.lerobot.tasks import read_tasks, rewrite
from pipelines.ids import content_id
from pipelines.sources.lerobot.dataset import LeRobotDataset
from pipelines.sources.lerobot.episode import Episode


class PlannedEpisode(NamedTuple):
    """An episode of an export."""

    number: int
    """Its episode_index."""
    first_index: int
    """The `index` of its first frame."""
    source: Episode
    edited: EditedEpisode | None
    """None: the episode as it is in the source."""
    tasks: Mapping[str, str]
    """The texts of the source's tasks that are different in the export."""


class Plan(NamedTuple):
    """The episodes of an export: those of the source first, then the edited ones."""

    episodes: list[PlannedEpisode]
    tasks: list[str]
    """All tasks by task_index: those of the source, then new ones."""


def make_plan(source: LeRobotDataset, edited: Sequence[EditedEpisode], originals: float) -> Plan:
    """Number the episodes of an export.

    Args:
        edited: by episode.
        originals: share of the source's episodes that are part of the export.
    """
    tasks = dict.fromkeys(read_tasks(source))
    taken = [(episode, None) for episode in _originals(source.episodes, originals)]
    made = [(source.episodes[one.episode], one) for one in edited]
    episodes: list[PlannedEpisode] = []
    first = 0
    for episode, edit in [*taken, *made]:
        texts = {} if edit is None else {task: rewrite(task, edit.prompt) for task in episode.tasks}
        changed = {old: new for old, new in texts.items() if old != new}
        tasks |= dict.fromkeys(changed.values())
        episodes.append(PlannedEpisode(len(episodes), first, episode, edit, changed))
        first += episode.length
    return Plan(episodes, [*tasks])


def _originals(episodes: Sequence[Episode], share: float) -> list[Episode]:
    drawn = sorted(episodes, key=lambda episode: content_id(original=episode.number))
    chosen = drawn[: round(share * len(episodes))]
    return sorted(chosen, key=lambda episode: episode.number)


def divide(episodes: Sequence[PlannedEpisode], frames: int) -> Iterator[list[PlannedEpisode]]:
    """Yields consecutive episodes with at most `frames` frames, or one longer episode."""
    part: list[PlannedEpisode] = []
    for episode in episodes:
        held = sum(one.source.length for one in part)
        if part and held + episode.source.length > frames:
            yield part
            part = []
        part.append(episode)
    if part:
        yield part
