"""What the metadata of a dataset say of each episode, read where it is needed."""

import json
from typing import Any, NamedTuple

from pipelines.rows import Row
from pipelines.sources.lerobot import v21, v30
from pipelines.sources.lerobot.dataset import LeRobotDataset

STATS_V21 = "meta/episodes_stats.jsonl"
PREFIX = "stats/"


class EpisodeRecord(NamedTuple):
    """What the metadata say of an episode."""

    row: Row
    """All columns but statistics."""
    stats: dict[str, dict[str, Any]]
    """By feature and statistic."""


class RecordsV30:
    """The records of a dataset of version v3.0, by episode. Reads a row group at a time."""

    def __init__(self, source: LeRobotDataset) -> None:
        self.storage = source.storage
        self._places: dict[int, tuple[str, int]] = {}
        for file in self.storage.find(v30.EPISODES, ".parquet"):
            numbers = self.storage.read_table(file, ["episode_index"])["episode_index"].to_pylist()
            self._places |= {number: (file, place) for place, number in enumerate(numbers)}
        self.schema = self.storage.read_schema(next(iter(self._places.values()))[0])

    def read(self, episode: int) -> EpisodeRecord:
        file, place = self._places[episode]
        columns = self.storage.read_schema(file).names
        ((found,),) = self.storage.some_rows(file, columns, [place], 1)
        stats: dict[str, dict[str, Any]] = {}
        for name in [name for name in found if name.startswith(PREFIX)]:
            feature, _, statistic = name.removeprefix(PREFIX).rpartition("/")
            value = found.pop(name)
            if value is not None:
                stats.setdefault(feature, {})[statistic] = value
        return EpisodeRecord(found, stats)


class RecordsV21:
    """The records of a dataset of version v2.1, by episode. Holds the lines of the metadata."""

    def __init__(self, source: LeRobotDataset) -> None:
        storage = source.storage
        self._rows = {row["episode_index"]: row for row in v21.read_lines(storage, v21.EPISODES)}
        self._stats: dict[int, bytes] = {}
        if storage.exists(STATS_V21):
            for line in storage.read(STATS_V21).splitlines():
                self._stats[json.loads(line)["episode_index"]] = line

    def read(self, episode: int) -> EpisodeRecord:
        line = self._stats.get(episode)
        stats = {} if line is None else json.loads(line)["stats"]
        return EpisodeRecord(dict(self._rows[episode]), stats)


def records(source: LeRobotDataset) -> RecordsV30 | RecordsV21:
    """Returns the records of a dataset."""
    return RecordsV30(source) if source.version == "v3.0" else RecordsV21(source)
