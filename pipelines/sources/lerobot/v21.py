"""The layout of version v2.1: one Parquet file and one MP4 file for each episode and camera."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.sources.lerobot.episode import Episode, EpisodeVideo
from pipelines.storage import Storage

EPISODES = "meta/episodes.jsonl"


def read_episodes(
    storage: Storage, info: Mapping[str, Any], videos: Sequence[str]
) -> Iterator[Episode]:
    """As `v30.read_episodes`."""
    for row in read_lines(storage, EPISODES):
        index = row["episode_index"]
        chunk, number = divmod(index, info["chunks_size"])
        place = {"episode_chunk": chunk, "episode_index": index}
        yield Episode(
            number=index,
            length=row["length"],
            tasks=tuple(row["tasks"]),
            data_file=info["data_path"].format(**place),
            videos={
                name: EpisodeVideo(
                    info["video_path"].format(video_key=name, **place), 0, chunk, number
                )
                for name in videos
            },
        )


def read_lines(storage: Storage, name: str) -> Iterator[dict[str, Any]]:
    """Yields the objects of a JSON lines file."""
    return (json.loads(line) for line in storage.read(name).splitlines() if line.strip())
