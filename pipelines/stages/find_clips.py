"""Cuts a source into clips: selects frames, resizes them to the model's size, encodes them once."""

import hashlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from fsspec.implementations.local import LocalFileSystem

from pipelines import ids, telemetry
from pipelines.config.sections import Clip
from pipelines.errors import Rejected, RowError
from pipelines.media import masks
from pipelines.media.encode import FASTEST, encode_video
from pipelines.media.frames import ROUNDING, fit, frame_indices
from pipelines.media.mask_files import frames_of, load_mask
from pipelines.media.shots import Shots
from pipelines.media.video.opening import open_video
from pipelines.media.video.reader import Video, check_one_size
from pipelines.reliability.deadline import Deadline
from pipelines.rows import Row, failure
from pipelines.schema import CLIPS
from pipelines.sources.versions import file_version
from pipelines.stages.clip_filter import ClipFilter
from pipelines.storage import filesystem
from pipelines.target_prompt import TargetPrompt

PAUSE = 1.0
"""A picture that stands still for longer than these seconds, and longer than `PAUSE_STEPS` times
the video's median distance of frames, is a pause."""
PAUSE_STEPS = 4.0
LOOKED_AT = 4
"""At most this many candidate spans are examined per requested clip."""


class FindClips:
    """Cuts a source into clips.

    Reads a row of `schema.SOURCES`. Returns rows of `schema.CLIPS` with span, frames, size,
    decoder, source_video and, if the source names one, mask. A skipped clip is a rejected row
    without source_video and mask, with a reason of `stages.clip_filter`. A source without a clip is
    one failed row of level source, with a reason of `pipelines.media.video`, `BadManifestRow`,
    `TooShort`, or `BadMask`.

    Args:
        clip: how clips are cut.
        storage_options: of the file systems of sources and masks.
        deadline: bounds the duration of a source.
    """

    def __init__(self, clip: Clip, storage_options: Mapping[str, Any], deadline: Deadline) -> None:
        self.clip = clip
        self.options = dict(storage_options)
        self.deadline = deadline

    def __call__(self, source: Row) -> list[Row]:
        started = time.perf_counter()
        # The later stages read these columns.
        prompts = source["targets"] or ()
        wheres = source["targets_where"] or ["subject"] * len(prompts)
        targets = [
            TargetPrompt(prompt.strip(), where=where).as_row()
            for prompt, where in zip(prompts, wheres, strict=True)
        ]
        given = {name: source[name] for name in ("caption", "subject")}
        given["targets"] = targets or None
        try:
            with self.deadline("decode", source["source_row"]):
                rows = [of_source(source) | given | columns for columns in self._clips(source)]
        except Exception as error:
            rows = [failed_source(source, failure("decode", error)) | given]
        seconds = (time.perf_counter() - started) / len(rows)
        telemetry.record_seconds("decode", seconds)
        return [row | {"clips_in_source": len(rows), "seconds": seconds} for row in rows]

    def _clips(self, source: Row) -> Iterator[Row]:
        if source["problem"]:
            raise RowError("BadManifestRow", source["problem"])
        key = ids.source_key(source, _content(source["location"], self.options))
        size = (self.clip.height, self.clip.width)
        decode = self.clip.model_dump(include={"num_frames", "height", "width", "fit", "crf"})
        given, most = source["start_seconds"], self.clip.max_clips_per_video
        skip, taken = ClipFilter(self.clip), 0
        with open_video(source["location"], self.options) as video:
            spans = find_spans(video, given, self.clip)
            for span in islice(spans, most and LOOKED_AT * most):
                row: Row = {
                    "level": "clip",
                    "clip_id": ids.clip_id(key, span.start, span.fps, decode),
                    "start_seconds": span.start,
                    "fps": span.fps,
                    "num_frames": self.clip.num_frames,
                    "height": self.clip.height,
                    "width": self.clip.width,
                    **video.properties,
                }
                try:
                    frames = fitted(video, span.frames, self.clip)
                    row["source_decoder"] = video.decoder
                    if given is None:  # a span of the manifest is never rejected
                        skip(frames, span.start, span.fps)
                    mask = None
                    if source["mask_location"]:
                        pixels = load_mask(
                            source["mask_location"],
                            span.frames.tolist(),
                            frames_of(video),
                            self.options,
                            source["mask_label"],
                        )
                        mask = masks.encode(fit(pixels, *size, self.clip.fit))
                    row |= {
                        "status": "ok",
                        "source_video": encode_video(frames, span.fps, self.clip.crf),
                        "mask": mask,
                        "mask_source": "manifest" if mask else None,
                    }
                    taken += 1
                except Rejected as reason:
                    row |= failure("decode", reason)
                yield row
                if taken == most:
                    return


def of_source(source: Row) -> Row:
    """Returns the columns that all rows of a source share."""
    named = ("source_id", "source_uri", "start_seconds", "source_row", "source_version")
    return dict.fromkeys(CLIPS.names) | {name: source[name] for name in named}


def failed_source(source: Row, outcome: Row) -> Row:
    """Returns the row of `schema.CLIPS` for a source without a clip."""
    return of_source(source) | outcome | {"level": "source", "row_id": ids.source_row_id(source)}


def fitted(video: Video, numbers: np.ndarray, clip: Clip) -> np.ndarray:
    """Returns the frames of a clip in the clip's size, uint8 (f, height, width, 3).

    Frames are resized one at a time, because a clip of 8K frames has gigabytes.

    Raises:
        Rejected: SizeChanges, the frames differ in size.
    """
    shapes, frames = set(), []
    for picture in video.pictures(numbers):
        shapes.add(picture.shape)
        frames.append(fit(picture[None], clip.height, clip.width, clip.fit)[0])
    check_one_size(shapes)
    return np.stack(frames)


class Span(NamedTuple):
    """The position of a clip in its video."""

    start: float
    """Seconds from the video's first frame."""
    fps: float
    """Frames per second."""
    frames: np.ndarray
    """Indices of the clip's frames in the video, int (num_frames,)."""


def find_spans(video: Video, start: float | None, clip: Clip) -> Iterator[Span]:
    """Find the clips of a video, in order.

    A given start makes one clip. Otherwise clips follow each other from the beginning of every
    shot. In a shot that is too short for one clip at `clip.fps`, the frames are sampled faster, up
    to every frame. The video is decoded only as far as is necessary to exclude a cut within the
    requested clips.

    Args:
        video: the opened source.
        start: start of the only clip, seconds; None if the manifest gives none.
        clip: how clips are cut.

    Raises:
        RowError: TooShort, the video or each of its shots has fewer frames than a clip.
            DecodeFailed, the frame rate is not plausible. Errors of `Video.frames`.
    """
    times, n = video.timestamps, clip.num_frames
    first = int(np.searchsorted(times, (start or 0.0) - ROUNDING))
    if len(times) - first < n:
        raise RowError(
            "TooShort",
            f"{len(times) - first} frames from {start or 0:g} s on, a clip needs {n} "
            "(clip.num_frames)",
        )
    ends = pauses(times)
    if start is not None:
        fps = _rate(_usual(video, first, ends, clip), n, float(times[-1]) - start)
        yield Span(start, fps, frame_indices(times, start, fps, n))
        return
    shots = Shots(video).end if clip.split_shots else lambda first, until: until

    def end_of(first: int, until: int) -> int:
        return shots(first, min(until, _end(ends, first)))

    longest, found = 0, 0
    while first < len(times):
        end, count = yield from _spans_of_shot(video, first, end_of, ends, clip)
        longest, found, first = max(longest, end - first), found + count, end
    if not found:
        raise RowError(
            "TooShort",
            f"the longest shot has {longest} frames, a clip needs {n} (clip.num_frames)",
        )


def pauses(times: np.ndarray) -> np.ndarray:
    """Returns the frames before which a picture stands still, and the number of frames.

    The frames before and after belong to different clips, as at a cut.
    """
    steps = np.diff(times)
    usual = float(np.median(steps)) if steps.size else 0.0
    return np.append(np.flatnonzero(steps > max(PAUSE, PAUSE_STEPS * usual)) + 1, len(times))


def _end(ends: np.ndarray, first: int) -> int:
    """Returns the first of `ends` after a frame."""
    return int(ends[np.searchsorted(ends, first, side="right")])


def _spans_of_shot(
    video: Video, first: int, end_of: Callable[[int, int], int], ends: np.ndarray, clip: Clip
) -> Generator[Span, None, tuple[int, int]]:
    """Yields the clips of the shot from frame `first` on; returns its end and the clips' number."""
    times, n = video.timestamps, clip.num_frames
    begin, start, count, at = float(times[first]), float(times[first]), 0, first
    while True:
        fps = _rate(_usual(video, at, ends, clip), n, np.inf)
        # The first frame that can be the last one of the clip.
        last = int(np.searchsorted(times, start + (n - 1) / fps - ROUNDING))
        end = end_of(first, min(last + 1, len(times)))
        if end <= last:
            break
        yield Span(start, fps, first + frame_indices(times[first:end], start, fps, n))
        count, start = count + 1, start + n / fps
        at = int(np.searchsorted(times, start - ROUNDING))
    if not count and end - first >= n:
        fps = _rate(fps, n, float(times[end - 1]) - begin)
        yield Span(begin, fps, first + frame_indices(times[first:end], begin, fps, n))
        count = 1
    return end, count


def _usual(video: Video, first: int, ends: np.ndarray, clip: Clip) -> float:
    """Returns the frame rate of a clip that begins at a frame, if the clip's length allows."""
    times, n = video.timestamps, clip.num_frames
    first = min(first, len(times) - 2)
    if clip.stride:
        until = first + n * clip.stride
    else:
        until = int(np.searchsorted(times, times[first] + n / clip.fps))
    rate = video.rate(first, max(first + 2, min(until, _end(ends, first))))
    return rate / clip.stride if clip.stride else min(clip.fps, rate)


def _rate(usual: float, num_frames: int, seconds: float) -> float:
    """Returns the frame rate: `usual`, or a higher one at which a clip fits into `seconds`."""
    fps = round(max(usual, (num_frames - 1) / seconds), 6)
    if fps >= FASTEST:
        raise RowError(
            "DecodeFailed", f"says that {fps:g} frames a second are shown; encode it again"
        )
    return fps


def _content(location: str, options: Mapping[str, Any]) -> str | None:
    """Returns the SHA-256 of a local file, the version of another; None if it cannot be read."""
    try:
        fs, path = filesystem(location, options)
        if isinstance(fs, LocalFileSystem):
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        return file_version(fs.info(path))
    except OSError:
        return None
