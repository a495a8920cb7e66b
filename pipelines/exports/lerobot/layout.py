"""Where the files of an export lie, and what its metadata say of them, by version of the format."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Protocol

from pipelines.exports.lerobot.plan import PlannedEpisode
from pipelines.rows import Row
from pipelines.sources.lerobot.dataset import LeRobotDataset
from pipelines.sources.lerobot.episode import EpisodeVideo

CHUNK = 1000
"""Files in a folder."""
DATA_V30 = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_V30 = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
DATA_V21 = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
VIDEO_V21 = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
PLACES = ("data/", "videos/", "meta/", "dataset_from_index", "dataset_to_index")
"""Columns of episodes that version v3.0 alone has."""


class Copied(NamedTuple):
    """A video of the source in the export."""

    video: EpisodeVideo
    """Its place in the export."""
    whole: bool
    """Whether the source's file is copied whole. False: the episode is cut out of the file."""


class Layout(Protocol):
    """The files of a version of the format."""

    version: str
    frames_per_part: int
    """Maximum length of a part of several episodes. A part has one file of data, and one for each
    edited camera."""

    def data_file(self, part: int) -> str: ...

    def edited(self, camera: str, part: int, first_frame: int) -> EpisodeVideo:
        """Returns the place of an edited video.

        Args:
            first_frame: its position among the edited frames of the part.
        """
        ...

    def copied(self, planned: PlannedEpisode, name: str) -> Copied:
        """Returns the place of a video of the source."""
        ...

    def row(
        self,
        row: Row,
        planned: PlannedEpisode,
        part: int,
        videos: Mapping[str, EpisodeVideo],
        fps: float,
    ) -> Row:
        """Returns the columns of an episode, from those that the source has.

        Args:
            videos: the places of all videos of the episode.
        """
        ...

    def info(self, episodes: int, videos: int) -> dict[str, Any]:
        """Returns what meta/info.json says of the layout.

        Args:
            episodes, videos: number of episodes, and of videos of each.
        """
        ...


class V30:
    """Many episodes in a file. Files of the source keep their names, new files have later ones.

    Args:
        source: the source.
        kept: names of the video features of which files are copied.
    """

    version = "v3.0"
    frames_per_part = 3000

    def __init__(self, source: LeRobotDataset, kept: Collection[str]) -> None:
        self._first_chunk = dict.fromkeys(source.videos, 0)
        for name in kept:
            chunks = (episode.videos[name].chunk for episode in source.episodes)
            self._first_chunk[name] = 1 + max(chunks)

    def data_file(self, part: int) -> str:
        return DATA_V30.format(chunk_index=part // CHUNK, file_index=part % CHUNK)

    def edited(self, camera: str, part: int, first_frame: int) -> EpisodeVideo:
        chunk, number = self._first_chunk[camera] + part // CHUNK, part % CHUNK
        return _place_v30(camera, first_frame, chunk, number)

    def copied(self, planned: PlannedEpisode, name: str) -> Copied:
        there = planned.source.videos[name]
        return Copied(_place_v30(name, *there[1:]), whole=True)

    def row(
        self,
        row: Row,
        planned: PlannedEpisode,
        part: int,
        videos: Mapping[str, EpisodeVideo],
        fps: float,
    ) -> Row:
        first, length = planned.first_index, planned.source.length
        row = row | {"data/chunk_index": part // CHUNK, "data/file_index": part % CHUNK}
        row |= {"dataset_from_index": first, "dataset_to_index": first + length}
        for name, video in videos.items():
            row[f"videos/{name}/chunk_index"] = video.chunk
            row[f"videos/{name}/file_index"] = video.number
            row[f"videos/{name}/from_timestamp"] = video.first_frame / fps
            row[f"videos/{name}/to_timestamp"] = (video.first_frame + length) / fps
        return row

    def info(self, episodes: int, videos: int) -> dict[str, Any]:
        return {
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "data_path": DATA_V30,
            "video_path": VIDEO_V30,
        }


class V21:
    """A file of data for each episode, and one of each of its videos."""

    version = "v2.1"
    frames_per_part = 0

    def __init__(self, source: LeRobotDataset) -> None:
        self._whole = source.version == "v2.1"

    def data_file(self, part: int) -> str:
        return DATA_V21.format(episode_chunk=part // CHUNK, episode_index=part)

    def edited(self, camera: str, part: int, first_frame: int) -> EpisodeVideo:
        return _place_v21(camera, part)

    def copied(self, planned: PlannedEpisode, name: str) -> Copied:
        return Copied(_place_v21(name, planned.number), self._whole)

    def row(
        self,
        row: Row,
        planned: PlannedEpisode,
        part: int,
        videos: Mapping[str, EpisodeVideo],
        fps: float,
    ) -> Row:
        return {name: value for name, value in row.items() if not name.startswith(PLACES)}

    def info(self, episodes: int, videos: int) -> dict[str, Any]:
        return {
            "total_videos": videos * episodes,
            "total_chunks": -(-episodes // CHUNK),
            "data_path": DATA_V21,
            "video_path": VIDEO_V21,
        }


LAYOUT_OF_VERSION = {
    "data_files_size_in_mb",
    "video_files_size_in_mb",
    "total_videos",
    "total_chunks",
}
"""Keys of meta/info.json that one of the versions alone has."""


def _place_v30(name: str, first_frame: int, chunk: int, number: int) -> EpisodeVideo:
    file = VIDEO_V30.format(video_key=name, chunk_index=chunk, file_index=number)
    return EpisodeVideo(file, first_frame, chunk, number)


def _place_v21(name: str, episode: int) -> EpisodeVideo:
    chunk, number = divmod(episode, CHUNK)
    file = VIDEO_V21.format(episode_chunk=chunk, video_key=name, episode_index=episode)
    return EpisodeVideo(file, 0, chunk, number)
