"""Published edits of a small LeRobot dataset, whose pictures still name episode and frame."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.ids import content_id
from pipelines.media.encode import encode_video
from pipelines.schema import DATASET, rows_table, with_extras, with_metrics
from pipelines.sources.lerobot.listing import COLUMNS
from pipelines.sources.listing import find_sources
from pipelines.storage import Storage
from tests.pipelines.support.lerobot import TOP, WRIST
from tests.pipelines.support.pictures import SIZE, picture

SWAPS = {"red": "blue", "drawer": "cupboard"}
"""Source word to target word."""


def edited_picture(episode: int, camera: int, frame: int) -> np.ndarray:
    """Returns a picture with its red square blue."""
    shown = picture(episode, camera, frame)
    red = (shown == (220, 30, 30)).all(axis=-1)
    shown[red] = 30, 60, 220
    return shown


def write_run(
    output: Path,
    dataset: Path,
    failed: Sequence[tuple[int, str]] = (),
    cameras: Sequence[str] = (TOP, WRIST),
    size: int = SIZE,
    codec: str = "h264",
) -> Storage:
    """Write the dataset of a run on a LeRobot dataset, one target a clip.

    Args:
        failed: episodes and cameras of which the edit failed.
        size: height and width of the videos, as published.
        codec: of the dataset's videos.
    """
    storage, rows = Storage(str(output)), []
    for source in find_sources(f"lerobot://{dataset}", {}).to_pylist():
        if source["lerobot_camera"] in cameras:
            took = source["lerobot_episode"], source["lerobot_camera"]
            rows.append(_row(source, size, took in failed, codec))
    schema = with_extras(with_metrics(DATASET, ["background"]), COLUMNS)
    for start in range(0, len(rows), 3):
        table = rows_table(rows[start : start + 3], schema)
        storage.write_table(f"dataset/part-{start // 3:05d}.parquet", table, 2)
    return storage


def _row(source: dict[str, Any], size: int, failed: bool, codec: str) -> dict[str, Any]:
    caption, frames = source["caption"], source["num_frames"]
    word = next(word for word in SWAPS if word in caption)
    episode, camera = source["lerobot_episode"], (TOP, WRIST).index(source["lerobot_camera"])
    pictures = np.stack([edited_picture(episode, camera, frame) for frame in range(frames)])
    edit_id = content_id(episode=episode, camera=camera)
    outcome = {"status": "failed", "error_type": "OutOfMemory"} if failed else {"status": "ok"}
    return {
        **{name: source[name] for name in ("source_uri", "start_seconds", *COLUMNS.names)},
        **outcome,
        "row_id": edit_id,
        "edit_id": edit_id,
        "clip_id": content_id(clip=edit_id),
        "level": "edit",
        "fps": 10.0,
        "num_frames": frames,
        "source_codec": codec,
        "height": size,
        "width": size,
        "source_prompt": caption,
        "target_prompt": caption.replace(word, SWAPS[word]),
        "target_kind": "recolour" if word == "red" else "noun_near",
        "source_word": word,
        "target_word": SWAPS[word],
        "target_where": "subject",
        "editor": "str_match",
        "editor_settings": '{"lam": 0.5}',
        "model_revision": "r1",
        "seed": 7,
        "source_video": encode_video(pictures, 10.0),
        "edited_video": None if failed else encode_video(pictures, 10.0),
        "metric_background": 0.25,
    }
