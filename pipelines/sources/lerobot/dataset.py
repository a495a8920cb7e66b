"""A LeRobot dataset: its cameras and its episodes, in versions v3.0 and v2.1 of the format."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.errors import InputError
from pipelines.ids import content_id
from pipelines.sources.lerobot import v21, v30
from pipelines.sources.lerobot.episode import Episode
from pipelines.storage import Storage

INFO = "meta/info.json"
VERSIONS = ("v3.0", "v2.1")
NEEDED = ("codebase_version", "fps", "features", "chunks_size", "data_path", "video_path")
"""Keys of meta/info.json."""
DEPTH = re.compile(r"(^|[^a-z])depth([^a-z]|$)")


@dataclass(frozen=True)
class LeRobotDataset:
    """The metadata of a dataset. Data and videos stay in their files."""

    storage: Storage
    """The dataset's folder."""
    info: Mapping[str, Any]
    """meta/info.json."""

    @cached_property
    def version(self) -> str:
        return str(self.info["codebase_version"])

    @property
    def fps(self) -> float:
        """Frames per second."""
        return float(self.info["fps"])

    @property
    def features(self) -> Mapping[str, Mapping[str, Any]]:
        found: Mapping[str, Mapping[str, Any]] = self.info["features"]
        return found

    @cached_property
    def videos(self) -> list[str]:
        """The names of all features that are videos."""
        return [name for name, f in self.features.items() if f["dtype"] == "video"]

    @cached_property
    def cameras(self) -> list[str]:
        """The names of the video features that show colours, not depth."""
        return [name for name in self.videos if not _is_depth(name, self.features[name])]

    def size(self, name: str) -> tuple[int, int]:
        """Returns height and width of a video feature, pixels."""
        shape, axes = self.features[name]["shape"], self.features[name].get("names")
        if axes and {"height", "width"} <= {*axes}:
            return shape[axes.index("height")], shape[axes.index("width")]
        return (shape[1], shape[2]) if shape[0] == 3 else (shape[0], shape[1])

    @cached_property
    def episodes(self) -> list[Episode]:
        """The episodes in order.

        Raises:
            InputError: the metadata contradicts itself.
        """
        found = sorted(self._read_episodes(), key=lambda episode: episode.number)
        told = self.info.get("total_episodes", len(found))
        if [episode.number for episode in found] != list(range(told)):
            raise InputError(
                f"{self.storage}: {INFO} counts {told} episodes, meta lists {len(found)}, from 0 on"
            )
        return found

    def _read_episodes(self) -> Iterator[Episode]:
        return (v30 if self.version == "v3.0" else v21).read_episodes(
            self.storage, self.info, self.videos
        )

    @cached_property
    def identity(self) -> str:
        """A hash that names the dataset by its features and episodes, wherever it lies."""
        episodes = [[*episode[:4], sorted(episode.videos.items())] for episode in self.episodes]
        return content_id(features=self.features, fps=self.fps, episodes=episodes)


def open_dataset(storage: Storage) -> LeRobotDataset:
    """Open the dataset in a folder.

    Raises:
        InputError: the folder has no LeRobot dataset, or one of a version that is not read.
    """
    if not storage.exists(INFO):
        raise InputError(f"{storage}: no LeRobot dataset, {INFO} is missing")
    try:
        info = json.loads(storage.read(INFO))
    except ValueError as error:
        raise InputError(f"{storage}/{INFO} is not JSON: {error}") from None
    lacking = [name for name in NEEDED if name not in info]
    if lacking:
        raise InputError(f"{storage}/{INFO} lacks {lacking[0]}")
    dataset = LeRobotDataset(storage, info)
    if dataset.version not in VERSIONS:
        raise InputError(
            f"{storage}: LeRobot format {dataset.version} is not read, only "
            f"{' and '.join(VERSIONS)}; convert the dataset with lerobot"
        )
    return dataset


def _is_depth(name: str, feature: Mapping[str, Any]) -> bool:
    """Whether a video feature is depth, by its description or else by its name."""
    described = {**(feature.get("video_info") or {}), **(feature.get("info") or {})}
    pixels = str(described.get("video.pix_fmt", ""))
    stated = described.get("video.is_depth_map") or described.get("is_depth_map")
    return bool(stated or pixels.startswith("gray") or DEPTH.search(name.lower()))
