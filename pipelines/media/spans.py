"""Finds the spans of a video that become clips: windows of the backbone, or whole shots."""

import math
from collections.abc import Callable, Generator, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipelines.config.clip import Clip
from pipelines.errors import RowError
from pipelines.media.encode import FASTEST
from pipelines.media.frames import ROUNDING, frame_indices
from pipelines.media.shots import Shots
from pipelines.media.video.reader import Video

PAUSE = 1.0
"""A picture that stands still for longer than these seconds, and longer than `PAUSE_STEPS` times
the video's median distance of frames, is a pause."""
PAUSE_STEPS = 4.0
EVEN = 3 * ROUNDING
"""Maximum distance of evenly spaced frames from their places, seconds: the rounding errors of the
first frame, of the other one, and of the rate that a container states."""

EndOf = Callable[[int, int], int]
"""Returns the end of the shot that begins at a frame, as `Shots.end`. A pause ends a shot."""


class Span(NamedTuple):
    """The position of a clip in its video."""

    start: float
    """Seconds from the video's first frame."""
    fps: float
    """Frames per second, the mean if the frame rate is variable."""
    frames: np.ndarray
    """Indices of the clip's frames in the video, int (f,)."""
    timestamps: list[float] | None = None
    """Seconds of each frame from the clip's first one. None: frame i is shown at i / fps."""


def find_spans(
    video: Video, start: float | None, clip: Clip, num_frames: int | None = None
) -> Iterator[Span]:
    """Find the clips of a video, in order.

    A given start makes one clip. Otherwise clips follow each other from the beginning of every
    shot. In a shot that is too short for one clip at `clip.fps`, the frames are sampled faster, up
    to every frame. The video is decoded only as far as is necessary to exclude a cut within the
    requested clips.

    Spans other than windows have every frame of the video. From a given start, such a clip ends
    with its shot. A given start and number of frames are the whole span, across cuts, too.

    Args:
        video: the opened source.
        start: start of the only clip, seconds; None if the manifest gives none.
        clip: how clips are cut.
        num_frames: length of the only clip; None if the source gives none.

    Raises:
        RowError: TooShort, the video or each of its shots is shorter than a clip.
            DecodeFailed, the frame rate is not plausible. Errors of `Video.frames`.
    """
    times = video.timestamps
    if num_frames is not None:
        yield _given_frames(video, start or 0.0, num_frames)
        return
    first = int(np.searchsorted(times, (start or 0.0) - ROUNDING))
    least = clip.num_frames if clip.span == "window" else 2
    if len(times) - first < least:
        named = " (clip.num_frames)" if clip.span == "window" else ""
        raise RowError(
            "TooShort",
            f"{len(times) - first} frames from {start or 0:g} s on, a clip needs {least}{named}",
        )
    ends = pauses(times)
    if clip.span == "window" and start is not None:
        n = clip.num_frames
        fps = _rate(_usual(video, first, ends, clip), n, float(times[-1]) - start)
        yield Span(start, fps, frame_indices(times, start, fps, n))
        return
    shots = Shots(video, first).end if clip.split_shots else lambda first, until: until

    def end_of(first: int, until: int) -> int:
        return shots(first, min(until, _end(ends, first)))

    if start is not None:
        yield _span_from(video, first, end_of, clip)
    elif clip.span == "window":
        yield from _windows(video, end_of, ends, clip)
    else:
        yield from _whole(video, end_of, clip)


def same_span(video: Video, start: float, fps: float, num_frames: int, clip: Clip) -> Span:
    """Returns a span that `find_spans` found, from what a clip's row says of the span."""
    times = video.timestamps
    if clip.span == "window":
        return Span(start, fps, frame_indices(times, start, fps, num_frames))
    first = int(np.searchsorted(times, start - ROUNDING))
    return _every_frame(video, first, first + num_frames)


def _given_frames(video: Video, start: float, num_frames: int) -> Span:
    """Returns the clip of frames from the one that is shown nearest to `start` on."""
    first = int(np.abs(video.timestamps - start).argmin())
    left = len(video.timestamps) - first
    if left < num_frames or num_frames < 2:
        raise RowError(
            "TooShort",
            f"{left} frames from {start:g} s on, the source gives {num_frames} and a clip needs 2",
        )
    return _every_frame(video, first, first + num_frames)


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


# Windows of the backbone.


def _windows(video: Video, end_of: EndOf, ends: np.ndarray, clip: Clip) -> Iterator[Span]:
    longest, found, first = 0, 0, 0
    while first < len(video.timestamps):
        end, count = yield from _windows_of_shot(video, first, end_of, ends, clip)
        longest, found, first = max(longest, end - first), found + count, end
    if not found:
        raise RowError(
            "TooShort",
            f"the longest shot has {longest} frames, a clip needs {clip.num_frames} "
            "(clip.num_frames)",
        )


def _windows_of_shot(
    video: Video, first: int, end_of: EndOf, ends: np.ndarray, clip: Clip
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
    return _plausible(max(usual, (num_frames - 1) / seconds))


def _plausible(rate: float) -> float:
    """Returns a frame rate as clips have it, rounded.

    Raises:
        RowError: DecodeFailed, the rate is not plausible.
    """
    fps = round(rate, 6)
    if fps >= FASTEST:
        raise RowError(
            "DecodeFailed", f"says that {fps:g} frames a second are shown; encode it again"
        )
    return fps


# Shots, whole or divided.


def _span_from(video: Video, first: int, end_of: EndOf, clip: Clip) -> Span:
    """Returns the clip from a frame to the end of its shot, at most of the length of a clip."""
    longest = clip.seconds or clip.max_seconds
    until = _after(video.timestamps, first, longest) if longest else len(video.timestamps)
    end = end_of(first, until)
    if end - first < 2:
        start = float(video.timestamps[first])
        raise RowError("TooShort", f"the shot ends with the frame at {start:g} s")
    return _every_frame(video, first, end)


def _whole(video: Video, end_of: EndOf, clip: Clip) -> Iterator[Span]:
    parts_of = _equal_parts if clip.seconds is None else _parts_of_seconds
    longest, found, first = 0.0, False, 0
    while first < len(video.timestamps):
        for begin, end in parts_of(video, first, end_of, clip):
            if end - begin >= 2:
                seconds = (end - begin) / video.rate(begin, end)
                longest = max(longest, seconds)
                if seconds >= clip.min_seconds - ROUNDING:
                    found = True
                    yield _every_frame(video, begin, end)
            first = end
    if not found:
        raise RowError(
            "TooShort",
            f"the longest shot has {longest:.3g} s, a clip needs {clip.min_seconds:g} s "
            "(clip.min_seconds)",
        )


def _equal_parts(video: Video, first: int, end_of: EndOf, clip: Clip) -> Iterator[tuple[int, int]]:
    """Yields the first frame and the end of parts of about equal length of a shot."""
    times = video.timestamps
    end = end_of(first, len(times))
    bounds = [first, end]
    if clip.max_seconds and end - first >= 2:
        seconds = (end - first) / video.rate(first, end)
        count = math.ceil((seconds - ROUNDING) / clip.max_seconds)
        inner = times[first] + seconds * np.arange(1, count) / count
        bounds[1:1] = np.searchsorted(times, inner - ROUNDING).tolist()
    yield from pairwise(bounds)


def _parts_of_seconds(
    video: Video, first: int, end_of: EndOf, clip: Clip
) -> Iterator[tuple[int, int]]:
    """Yields the first frame and the end of consecutive parts of a shot, and of its rest."""
    assert clip.seconds is not None
    count = len(video.timestamps)
    until = end = first
    while end == until < count:
        begin, until = end, _after(video.timestamps, end, clip.seconds)
        end = end_of(begin, until)
        yield begin, end


def _after(times: np.ndarray, first: int, seconds: float) -> int:
    """Returns the first frame that is shown at least `seconds` after frame `first`."""
    return max(first + 1, int(np.searchsorted(times, times[first] + seconds - ROUNDING)))


def _every_frame(video: Video, first: int, end: int) -> Span:
    """Returns the clip of all frames from `first` to `end`, exclusive."""
    times = video.timestamps[first:end] - video.timestamps[first]
    fps = _plausible(video.rate(first, end))
    even = np.abs(times - np.arange(len(times)) / fps).max() <= EVEN
    start = float(video.timestamps[first])
    return Span(start, fps, np.arange(first, end), None if even else times.tolist())
