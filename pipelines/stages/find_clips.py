"""From a source to its clips: which frames, brought to the model's size, encoded once."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np

from pipelines import ids, masks, telemetry
from pipelines.config import Clip
from pipelines.encode import FASTEST, encode_video
from pipelines.errors import RowError
from pipelines.prompts.target_prompt import TargetPrompt
from pipelines.schema import CLIPS, SOURCES
from pipelines.stages.base import Row, failure
from pipelines.storage import filesystem
from pipelines.video import Video, open_video
from pipelines.watch import Watch

ROUNDING = 1e-3
"""Seconds by which containers round timestamps."""


class FindClips:
    """Cuts a source into clips.

    Reads a row of `schema.SOURCES`; yields rows of `schema.CLIPS` with span, frames, size,
    decoder, source_video and, where the source names one, mask. A source that gives no clip is
    one failed row of level source: with the reasons of `pipelines.video`, `BadManifestRow`,
    `TooShort`, or `BadMask`.
    """

    def __init__(self, clip: Clip, storage_options: Mapping[str, Any], watch: Watch) -> None:
        self.clip = clip
        self.options = dict(storage_options)
        self.watch = watch

    def __call__(self, source: Row) -> list[Row]:
        started = time.perf_counter()
        # For the stages that follow.
        targets = [TargetPrompt(target.strip()).as_row() for target in source["targets"] or ()]
        given = {name: source[name] for name in ("caption", "subject")}
        given["targets"] = targets or None
        try:
            with self.watch("decode", source["source_row"]):
                rows = [of_source(source) | given | columns for columns in self._clips(source)]
        except Exception as error:
            rows = [failed_source(source, failure("decode", error)) | given]
        seconds = (time.perf_counter() - started) / len(rows)
        telemetry.took("decode", seconds)
        return [row | {"clips_in_source": len(rows), "seconds": seconds} for row in rows]

    def _clips(self, source: Row) -> Iterator[Row]:
        if source["problem"]:
            raise RowError("BadManifestRow", source["problem"])
        key = ids.source_key(source, _content(source["location"], self.options))
        size = (self.clip.height, self.clip.width)
        decode = self.clip.model_dump(include={"num_frames", "height", "width", "fit", "crf"})
        with open_video(source["location"], self.options) as video:
            for start, fps in find_spans(video, source["start_seconds"], self.clip):
                indices = frame_indices(video.timestamps, start, fps, self.clip.num_frames)
                frames = fit(video.frames(indices), *size, self.clip.fit)
                mask = None
                if source["mask_location"]:
                    pixels = masks.load(source["mask_location"], indices.tolist(), self.options)
                    mask = masks.encode(fit(pixels, *size, self.clip.fit))
                yield {
                    "level": "clip",
                    "status": "ok",
                    "clip_id": ids.clip_id(key, start, fps, decode),
                    "start_seconds": start,
                    "fps": fps,
                    "num_frames": self.clip.num_frames,
                    "height": self.clip.height,
                    "width": self.clip.width,
                    "decoder": video.decoder,
                    "source_video": encode_video(frames, fps, self.clip.crf),
                    "mask": mask,
                    "mask_source": "manifest" if mask else None,
                }


def of_source(source: Row) -> Row:
    """What a source says about all its rows of `schema.CLIPS`, the manifest's columns included."""
    extras = {name: value for name, value in source.items() if name not in SOURCES.names}
    named = ("source_id", "source_uri", "start_seconds", "source_row")
    return dict.fromkeys(CLIPS.names) | extras | {name: source[name] for name in named}


def failed_source(source: Row, outcome: Row) -> Row:
    """The row of `schema.CLIPS` that stands for a source without a clip."""
    return of_source(source) | outcome | {"level": "source", "row_id": ids.source_row_id(source)}


def find_spans(video: Video, start: float | None, clip: Clip) -> list[tuple[float, float]]:
    """Where the clips of a video start, in seconds, and their frames a second.

    A start that is given makes one clip. Else clips follow each other from the beginning. Where
    not even one fits, the frames are taken closer together, down to every single one.

    Raises:
        RowError: TooShort, fewer frames than a clip has; DecodeFailed, no rate of frames.
    """
    first, n, last = start or 0.0, clip.num_frames, float(video.timestamps[-1])
    left = int(np.sum(video.timestamps >= first - ROUNDING))
    if left < n:
        raise RowError(
            "TooShort", f"{left} frames from {first:g} s on, a clip needs {n} (clip.num_frames)"
        )
    fps = video.fps / clip.stride if clip.stride else min(clip.fps, video.fps)
    fps = round(max(fps, (n - 1) / (last - first)), 6)
    if fps >= FASTEST:
        raise RowError(
            "DecodeFailed", f"says that {fps:g} frames a second are shown; encode it again"
        )
    if start is not None:
        return [(start, fps)]
    reach = (n - 1) / fps
    count = 1 + int((last + ROUNDING - reach) // (n / fps))
    return [(k * n / fps, fps) for k in range(count)][: clip.max_clips_per_video]


def frame_indices(timestamps: np.ndarray, start: float, fps: float, count: int) -> np.ndarray:
    """Which frames are on the screen at start, start + 1/fps, …; int (count,)."""
    times = start + np.arange(count) / fps
    return np.maximum(np.searchsorted(timestamps, times + ROUNDING, side="right") - 1, 0)


def fit(frames: np.ndarray, height: int, width: int, how: str) -> np.ndarray:
    """Bring frames (f, H, W, 3) uint8 or a mask (f, H, W) bool to height × width.

    "crop" covers the target and cuts off the rest; "pad" shows all, on black.
    """
    scales = height / frames.shape[1], width / frames.shape[2]
    scale = max(scales) if how == "crop" else min(scales)
    inner = max(1, round(frames.shape[1] * scale)), max(1, round(frames.shape[2] * scale))
    flat = cv2.INTER_NEAREST if frames.dtype == bool else cv2.INTER_AREA
    method = flat if scale < 1 or frames.dtype == bool else cv2.INTER_CUBIC
    resized = np.stack(
        [cv2.resize(f.astype(np.uint8), inner[::-1], interpolation=method) for f in frames]
    )
    result = np.zeros((len(frames), height, width, *frames.shape[3:]), np.uint8)
    here, there = _overlap(inner[0], height), _overlap(inner[1], width)
    result[:, here[1], there[1]] = resized[:, here[0], there[0]]
    return result.astype(frames.dtype)


def _overlap(have: int, want: int) -> tuple[slice, slice]:
    """The centred part that both lengths share, in the one that is there and the one wanted."""
    shared = min(have, want)
    a, b = (have - shared) // 2, (want - shared) // 2
    return slice(a, a + shared), slice(b, b + shared)


def _content(location: str, options: Mapping[str, Any]) -> str | None:
    """What tells one content of a location from another: the ETag, else the size."""
    try:
        fs, path = filesystem(location, options)
        info = fs.info(path)
    except OSError:
        return None
    return str(info.get("ETag") or info["size"]).strip('"')
