"""Small LeRobot datasets by the documented layouts. The tests of lerobot itself open them, too."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.media.encode import encode_frames, encode_video
from tests.pipelines.support.pictures import SIZE, picture

TOP, WRIST, DEPTH = (f"observation.images.{name}" for name in ("top", "wrist", "depth"))
VIDEOS = (TOP, WRIST, DEPTH)
FPS = 10
LENGTHS = (12, 9, 12, 15)
RED, DRAWER = "Pick up the red cube.", "Open the drawer"
TASKS = (RED, DRAWER, RED, DRAWER)
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


def write_dataset(
    folder: Path,
    version: str = "v3.0",
    lengths: Sequence[int] = LENGTHS,
    tasks: Sequence[str] = TASKS,
    episodes_per_file: int = 3,
    starts_with_keyframe: bool = True,
) -> Path:
    """Write a dataset whose pictures name their episode, camera and frame.

    Args:
        episodes_per_file: of data and video files, in version v3.0.
        starts_with_keyframe: whether each episode does, in version v3.0.
    """
    folder.mkdir(parents=True)
    if version == "v3.0":
        _write_v30(folder, lengths, tasks, episodes_per_file, starts_with_keyframe)
    else:
        _write_v21(folder, lengths, tasks)
    return folder


def task_table(tasks: Sequence[str]) -> list[str]:
    return [*dict.fromkeys(tasks)]


def rows(episode: int, length: int, first: int, task: int) -> pa.Table:
    """Returns the frames of an episode, with values that no rounding leaves alone."""
    rng = np.random.default_rng(episode)
    state = rng.normal(size=(length, 3)).astype(np.float32)
    action = rng.normal(size=(length, 2))
    return pa.table(
        {
            "observation.state": _fixed(state, pa.float32()),
            "action": _fixed(action, pa.float64()),
            "gripper": pa.array(np.arange(length) % 2),
            "note": [f"episode {episode}, frame {frame}" for frame in range(length)],
            "timestamp": pa.array(np.arange(length, dtype=np.float32) / np.float32(FPS)),
            "frame_index": pa.array(np.arange(length)),
            "episode_index": pa.array(np.full(length, episode)),
            "index": pa.array(np.arange(first, first + length)),
            "task_index": pa.array(np.full(length, task)),
        }
    )


def stats(table: pa.Table, episode: int, length: int) -> dict[str, dict[str, Any]]:
    """Returns the statistics of an episode."""
    found = {}
    for name in table.column_names:
        if name != "note":
            values = np.array(table[name].to_pylist())
            found[name] = _of(values.reshape(length, -1), length)
    for camera, name in enumerate(VIDEOS):
        images = np.stack([picture(episode, camera, frame) for frame in range(length)]) / 255
        flat = _of(images.reshape(-1, 3), length)
        found[name] = {k: v if k == "count" else [[[x]] for x in v] for k, v in flat.items()}
    return found


def _of(values: np.ndarray, count: int) -> dict[str, Any]:
    simple = {name: getattr(values, name)(axis=0).tolist() for name in ("min", "max", "mean")}
    quantiles = {n: np.quantile(values, q, axis=0).tolist() for n, q in QUANTILES.items()}
    return simple | {"std": values.std(axis=0).tolist(), "count": [count]} | quantiles


def _fixed(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel(), kind), values.shape[1])


def _info(lengths: Sequence[int], tasks: Sequence[str], **layout: Any) -> dict[str, Any]:
    def plain(dtype: str, size: int = 1, names: list[str] | None = None) -> dict[str, Any]:
        return {"dtype": dtype, "shape": [size], "names": names}

    video = {"dtype": "video", "shape": [SIZE, SIZE, 3], "names": ["height", "width", "channels"]}
    told = {"video.fps": FPS, "video.codec": "h264", "video.pix_fmt": "yuv420p"}
    counters = ("frame_index", "episode_index", "index", "task_index")
    return {
        "robot_type": "arm",
        "total_episodes": len(lengths),
        "total_frames": sum(lengths),
        "total_tasks": len(task_table(tasks)),
        "chunks_size": 1000,
        "fps": FPS,
        "splits": {"train": f"0:{len(lengths)}"},
        **layout,
        "features": {
            "observation.state": plain("float32", 3, ["x", "y", "z"]),
            "action": plain("float64", 2),
            "gripper": plain("int64"),
            "note": plain("string"),
            TOP: {**video, "info": {**told, "video.is_depth_map": False}},
            WRIST: {**video, "info": {**told, "video.is_depth_map": False}},
            DEPTH: {**video, "info": {**told, "video.is_depth_map": True}},
            "timestamp": plain("float32"),
            **{name: plain("int64") for name in counters},
        },
    }


def _write_v30(
    folder: Path,
    lengths: Sequence[int],
    tasks: Sequence[str],
    episodes_per_file: int,
    starts_with_keyframe: bool,
) -> None:
    names = task_table(tasks)
    _write_json(
        folder / "meta/info.json",
        _info(
            lengths,
            tasks,
            codebase_version="v3.0",
            data_files_size_in_mb=100,
            video_files_size_in_mb=200,
            data_path="data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            video_path="videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        ),
    )
    pd.DataFrame({"task_index": range(len(names))}, names).to_parquet(folder / "meta/tasks.parquet")
    first, episodes, every = 0, [], []
    for start in range(0, len(lengths), episodes_per_file):
        file, tables = start // episodes_per_file, []
        pictures: dict[str, list[np.ndarray]] = {name: [] for name in VIDEOS}
        for episode in range(start, min(start + episodes_per_file, len(lengths))):
            length, task = lengths[episode], tasks[episode]
            tables.append(rows(episode, length, first, names.index(task)))
            row: dict[str, Any] = {"episode_index": episode, "tasks": [task], "length": length}
            row |= {"data/chunk_index": 0, "data/file_index": file}
            row |= {"dataset_from_index": first, "dataset_to_index": first + length}
            for camera, name in enumerate(VIDEOS):
                # Sums of floats, as recorders write them.
                begins = float(np.sum([n / FPS for n in lengths[start:episode]]))
                row |= {f"videos/{name}/chunk_index": 0, f"videos/{name}/file_index": file}
                row[f"videos/{name}/from_timestamp"] = begins
                row[f"videos/{name}/to_timestamp"] = begins + length / FPS
                pictures[name] += [picture(episode, camera, frame) for frame in range(length)]
            of_episode = stats(tables[-1], episode, length)
            every.append(of_episode)
            row |= {f"stats/{n}/{k}": v for n, of in of_episode.items() for k, v in of.items()}
            episodes.append(row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})
            first += length
        _write_table(folder / f"data/chunk-000/file-{file:03d}.parquet", pa.concat_tables(tables))
        for name, frames in pictures.items():
            path = folder / f"videos/{name}/chunk-000/file-{file:03d}.mp4"
            ends = set(np.cumsum(lengths[start : start + episodes_per_file]).tolist())
            keyframes = ends if starts_with_keyframe else ()
            _write(path, encode_frames(frames, FPS, 18, keyframes=keyframes))
    table = pa.Table.from_pylist(episodes)
    _write_table(folder / "meta/episodes/chunk-000/file-000.parquet", table)
    _write_json(folder / "meta/stats.json", every[0])


def _write_v21(folder: Path, lengths: Sequence[int], tasks: Sequence[str]) -> None:
    names = task_table(tasks)
    _write_json(
        folder / "meta/info.json",
        _info(
            lengths,
            tasks,
            codebase_version="v2.1",
            total_videos=len(VIDEOS) * len(lengths),
            total_chunks=1,
            data_path="data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
            video_path="videos/chunk-{episode_chunk:03d}/{video_key}/"
            "episode_{episode_index:06d}.mp4",
        ),
    )
    lines = [{"task_index": index, "task": task} for index, task in enumerate(names)]
    _write_lines(folder / "meta/tasks.jsonl", lines)
    first, episodes, every = 0, [], []
    for episode, (length, task) in enumerate(zip(lengths, tasks, strict=True)):
        table = rows(episode, length, first, names.index(task))
        _write_table(folder / f"data/chunk-000/episode_{episode:06d}.parquet", table)
        for camera, name in enumerate(VIDEOS):
            frames = np.stack([picture(episode, camera, frame) for frame in range(length)])
            path = folder / f"videos/chunk-000/{name}/episode_{episode:06d}.mp4"
            _write(path, encode_video(frames, FPS, 18))
        episodes.append({"episode_index": episode, "tasks": [task], "length": length})
        every.append({"episode_index": episode, "stats": stats(table, episode, length)})
        first += length
    _write_lines(folder / "meta/episodes.jsonl", episodes)
    _write_lines(folder / "meta/episodes_stats.jsonl", every)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _write_table(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def _write_json(path: Path, value: Any) -> None:
    _write(path, json.dumps(value, indent=4).encode())


def _write_lines(path: Path, values: Sequence[Any]) -> None:
    _write(path, "".join(f"{json.dumps(value)}\n" for value in values).encode())
