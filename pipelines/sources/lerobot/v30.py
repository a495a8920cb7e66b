"""The layout of version v3.0: many episodes in each Parquet and MP4 file."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.errors import InputError
from pipelines.sources.lerobot.episode import Episode, EpisodeVideo
from pipelines.storage import Storage

EPISODES = "meta/episodes"
ROWS_AT_ONCE = 1024


def read_episodes(
    storage: Storage, info: Mapping[str, Any], videos: Sequence[str]
) -> Iterator[Episode]:
    """Yields the episodes of a dataset.

    Args:
        storage: the dataset's folder.
        info: meta/info.json.
        videos: the names of the video features.
    """
    placed = [f"videos/{name}/{part}" for name in videos for part in _VIDEO]
    columns = ["episode_index", "length", "tasks", "data/chunk_index", "data/file_index", *placed]
    for file in storage.find(EPISODES, ".parquet"):
        table = storage.read_table(file, columns)
        for batch in table.to_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                yield Episode(
                    number=row["episode_index"],
                    length=row["length"],
                    tasks=tuple(row["tasks"]),
                    data_file=info["data_path"].format(
                        chunk_index=row["data/chunk_index"], file_index=row["data/file_index"]
                    ),
                    videos={name: _video(row, info, name) for name in videos},
                )


_VIDEO = ("chunk_index", "file_index", "from_timestamp")


def _video(row: Mapping[str, Any], info: Mapping[str, Any], name: str) -> EpisodeVideo:
    chunk, file, start = (row[f"videos/{name}/{part}"] for part in _VIDEO)
    if start is None:
        raise InputError(f"episode {row['episode_index']} has no video of {name}")
    path = info["video_path"].format(video_key=name, chunk_index=chunk, file_index=file)
    # Start times are sums of floats, which drift: the nearest frame is meant.
    return EpisodeVideo(path, round(start * info["fps"]), chunk, file)
