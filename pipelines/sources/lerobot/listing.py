"""Lists the sources of a LeRobot dataset: one for every episode and camera."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pipelines.config.input import Input, span
from pipelines.errors import InputError
from pipelines.ids import content_id
from pipelines.sources.lerobot.address import dataset_root
from pipelines.sources.lerobot.dataset import LeRobotDataset, open_dataset
from pipelines.sources.lerobot.episode import Episode
from pipelines.storage import Storage

COLUMNS = pa.schema(
    [
        ("lerobot_dataset", pa.string()),  # LeRobotDataset.identity
        ("lerobot_episode", pa.int64()),
        ("lerobot_camera", pa.string()),
        ("lerobot_task", pa.string()),
    ]
)
"""The columns by which an export finds the episode of an edit again. They are carried as columns of
a manifest."""


class Take(NamedTuple):
    """An episode as one camera shows it."""

    episode: Episode
    camera: str


def lerobot_sources(
    uri: str, options: Mapping[str, Any], chosen: Input, seed: int
) -> tuple[list[dict[str, Any]], pa.Table]:
    """List the sources of a dataset.

    Args:
        uri: see `dataset_root`.
        options: storage options of fsspec.
        chosen: which episodes and cameras are taken.
        seed: chooses the episodes of `chosen.share`.

    Returns:
        Rows of `schema.SOURCES`, and a table of `COLUMNS` with as many rows. Each source is the
        exact span of the episode in its MP4 file. Cameras of an episode share a target group.

    Raises:
        InputError: there is no dataset that can be read, or it lacks what is chosen.
    """
    dataset = open_dataset(Storage(dataset_root(uri), options))
    cameras = _cameras(dataset, chosen.cameras)
    takes = [
        Take(episode, camera)
        for episode in _episodes(dataset.episodes, chosen, seed)
        for camera in cameras
    ]
    return [*_rows(dataset, takes, chosen)], _columns(dataset, takes)


def _cameras(dataset: LeRobotDataset, wanted: Sequence[str] | None) -> list[str]:
    if not dataset.cameras:
        raise InputError(f"{dataset.storage}: no feature of the dataset is a video of a camera")
    for name in wanted or ():
        if name not in dataset.cameras:
            raise InputError(
                f"input.cameras: {dataset.storage} has no camera {name!r}; it has "
                f"{', '.join(dataset.cameras)}"
            )
    return [name for name in dataset.cameras if wanted is None or name in wanted]


def _episodes(episodes: Sequence[Episode], chosen: Input, seed: int) -> list[Episode]:
    found = list(episodes)
    if chosen.episodes is not None:
        wanted = {index for given in chosen.episodes for index in span(given)}
        missing = wanted - {episode.number for episode in found}
        if missing:
            raise InputError(
                f"input.episodes: there is no episode {min(missing)}; the dataset has "
                f"{len(found)} episodes, from 0 on"
            )
        found = [episode for episode in found if episode.number in wanted]
    if chosen.share is not None:
        drawn = sorted(found, key=lambda e: content_id(episode=e.number, seed=seed))
        found = sorted(drawn[: max(1, round(chosen.share * len(found)))], key=lambda e: e.number)
    return found


def _rows(
    dataset: LeRobotDataset, takes: Sequence[Take], chosen: Input
) -> Iterator[dict[str, Any]]:
    storage = dataset.storage
    for episode, camera in takes:
        video = episode.videos[camera]
        location = storage.fs.unstrip_protocol(storage.path(video.file))
        group = content_id(episode=episode.number, length=episode.length, tasks=episode.tasks)
        yield {
            "source_id": None,
            # The commit of a dataset of the hub names the content of its files.
            "source_uri": location if location.startswith("hf://") else video.file,
            "location": location,
            "start_seconds": video.first_frame / dataset.fps,
            "num_frames": episode.length,
            "target_group": group,
            "caption": _task(episode) if chosen.caption == "task" else None,
        }


def _columns(dataset: LeRobotDataset, takes: Sequence[Take]) -> pa.Table:
    columns = {
        "lerobot_dataset": [dataset.identity] * len(takes),
        "lerobot_episode": [episode.number for episode, _ in takes],
        "lerobot_camera": [camera for _, camera in takes],
        "lerobot_task": [_task(episode) for episode, _ in takes],
    }
    return pa.table(columns, COLUMNS)


def _task(episode: Episode) -> str | None:
    """Returns the first task of an episode that is a text."""
    return next((task for task in episode.tasks if task.strip()), None)
