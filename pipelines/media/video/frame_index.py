"""Index the frames of a video: their display times, and the keyframes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.errors import RowError
from pipelines.media.video.container import truncated

LONGEST_GAP = 86400.0
"""Seconds. Larger gaps come from damaged timestamps."""


class Index(NamedTuple):
    """Frame index of a video.

    ticks: display times int64 (n,), ascending, in the time base of the stream.
    keys: ticks of the keyframes, ascending. Decoding can start at most of them, see `entry_points`.
        [0] if `by_count`. Empty if the container marks no keyframe.
    by_count: whether frames are found by decoding from the beginning, because the timestamps of the
        container do not identify them.
    stamps: timestamps (n,) of the decoded frames, if `by_count` and known.
    """

    ticks: np.ndarray
    keys: list[int]
    by_count: bool = False
    stamps: np.ndarray | None = None


def index_from_container(container: Any, stream: Any, first: int | None) -> Index | None:
    """Return the frame index from an MP4 or MOV header, or None if it lacks the display order.

    The header holds decode times. Without reordered frames they equal the presentation times.
    If evenly spaced, they equal the presentation times after a shift to `first`, the presentation
    time of the first frame in ticks.
    """
    if not container.format.name.startswith("mov") or not stream.frames:
        return None
    if first is None or first != stream.start_time:
        return None
    entries = [e for e in stream.index_entries if not e.is_discard and e.size]
    ticks = np.array([e.timestamp for e in entries], dtype=np.int64)
    steps = np.diff(ticks)
    if not len(ticks) or (steps <= 0).any():
        return None
    shift = first - int(ticks[0])
    if (steps != steps[:1]).any() if stream.codec_context.has_b_frames else shift:
        return None
    keys = [e.timestamp + shift for e in entries if e.is_keyframe]
    return Index(ticks + shift, keys)


def index_from_packets(container: Any, stream: Any) -> Index:
    """Return the frame index from packet timestamps. Reads the file once without decoding.

    Raises:
        RowError: `DecodeFailed` without frames, `Truncated` if packets are zero-filled.
    """
    container.seek(0)
    parts: list[list[_Stamps]] = [[]]
    hollow, clock, coded = 0, None, stream.codec_context.name != "rawvideo"
    # A damaged packet is not recognised as a keyframe. The header of MP4 lists all.
    entries = stream.index_entries if container.format.name.startswith("mov") else ()
    listed = {entry.timestamp for entry in entries if entry.is_keyframe}
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.dts is not None:
            if clock is not None and packet.dts < clock:  # the next of several joined recordings
                parts.append([])
            clock = packet.dts
        is_key = packet.is_keyframe or packet.dts in listed
        parts[-1].append(_Stamps(packet.pts, packet.dts, is_key, packet.is_discard))
        hollow += coded and not packet.is_discard and not any(bytes(memoryview(packet)[:64]))
    if all(stamp.is_hidden for part in parts for stamp in part):
        raise RowError("DecodeFailed", "has a video stream that holds no frame")
    if hollow:  # an interrupted copy into preallocated space
        count = sum(map(len, parts))
        raise truncated(0, 0, count - hollow, count)
    # AVI stores decode times only. MPEG-PS stores a time for every few frames only.
    name = container.format.name
    unknown = name == "mpeg" or (name == "avi" and stream.codec_context.has_b_frames)
    stamps = [None if unknown else _display_times(part) for part in parts]
    if len(parts) == 1 and stamps[0] is not None:
        keys = [s.shown for s in parts[0] if s.is_key and s.shown is not None]
        return Index(stamps[0], sorted(keys))
    known = [part for part in stamps if part is not None]
    parts = [part[next((n for n, s in enumerate(part) if s.is_key), 0) :] for part in parts]
    keys = [0] if parts[0][0].is_key else []
    if len(known) == len(parts):
        return Index(_joined(known), keys, by_count=True, stamps=np.concatenate(known))
    ticks = [
        _evenly(part, stream) if name == "mpeg" else _decode_times(part, stream) for part in parts
    ]
    return Index(_joined(ticks), keys, by_count=True)


class _Stamps(NamedTuple):
    """The timestamps of a packet, in ticks."""

    shown: int | None
    decoded: int | None
    is_key: bool
    is_hidden: bool
    """By an edit list."""


def _display_times(part: Sequence[_Stamps]) -> np.ndarray | None:
    """Return the display times, ascending; None if they are missing or repeated.

    A recording may start between keyframes. Frames before the first keyframe cannot be decoded.
    """
    every = {stamp.shown for stamp in part if stamp.shown is not None}
    if len(every) < len(part):
        return None
    hidden = {stamp.shown for stamp in part if stamp.is_hidden}
    keys = [stamp.shown for stamp in part if stamp.is_key and stamp.shown is not None]
    first, shown = keys[0] if keys else min(every), every - hidden
    return np.array(sorted(tick for tick in shown if tick >= first), dtype=np.int64)


def _decode_times(part: Sequence[_Stamps], stream: Any) -> np.ndarray:
    """Return the decode times, or evenly spaced ticks where some are missing or repeated."""
    shown = [stamp for stamp in part if not stamp.is_hidden]
    decoded = {stamp.decoded for stamp in shown if stamp.decoded is not None}
    if len(decoded) == len(shown):
        return np.array(sorted(decoded), dtype=np.int64)
    return _evenly(part, stream)


def _evenly(part: Sequence[_Stamps], stream: Any) -> np.ndarray:
    """Return ticks at the stated frame rate."""
    tick = 1 / (float(stream.average_rate or 25) * float(stream.time_base))
    count = sum(not stamp.is_hidden for stamp in part)
    return np.round(np.arange(count) * tick).astype(np.int64)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ticks of recordings that follow each other, from 0 on."""
    ticks, end = [], 0
    for part in parts:
        ticks.append(part - part[0] + end)
        step = int(np.median(np.diff(part))) if len(part) > 1 else 1
        end = int(ticks[-1][-1]) + step
    return np.concatenate(ticks)
