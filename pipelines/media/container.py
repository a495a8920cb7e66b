"""Read the declared size and the frame timestamps of a video container."""

from typing import Any, Literal, NamedTuple

import numpy as np

from pipelines.errors import RowError

# Writers of AVI disagree on whether a chunk's size counts its own header and padding.
RIFF_TOLERANCE = 9
BOXES = b"ftyp moov mdat moof mfra free skip wide sidx styp uuid meta pnot udta emsg prft".split()


class Index(NamedTuple):
    """Frame index of a video: ticks int64 (n,), ascending, in the time base of the stream.

    keys: ticks of the keyframes, at which decoding can start, ascending.
    leading: whether some frames are stored after a keyframe and shown before it (an open GOP).
    by_count: whether ticks are frame numbers 0 … n-1, because the timestamps of the container do
        not determine the order of the frames.
    """

    ticks: np.ndarray
    keys: list[int]
    leading: bool = False
    by_count: bool = False


def declared_size(file: Any, size: int) -> tuple[str, int]:
    """Return the container family ("" if unknown) and the file size in bytes that it declares.

    Raises:
        RowError: `NotAVideo` for a still picture, `Truncated` for an MP4 file without an index.
    """

    def number(at: int, count: int, order: Literal["big", "little"] = "big") -> int:
        file.seek(at)
        return int.from_bytes(file.read(count), order)

    file.seek(0)
    head = file.read(64)
    if head[4:8] in BOXES:
        at, seen = 0, set()
        while at < size:
            file.seek(at)
            box = file.read(16)
            if len(box) >= 8 and box[4:8] not in BOXES:
                break  # bytes after the last box are not part of the container
            seen.add(box[4:8])
            length = int.from_bytes(box[:4], "big")
            if length == 1:
                length = int.from_bytes(box[8:16], "big")
            at = at + max(length, 8) if length else size  # 0: to the end of the file
        if b"moov" not in seen and b"meta" in seen:
            raise RowError("NotAVideo", "is a still picture (HEIF)")
        if b"moov" not in seen:
            there = f"; {size} of {at} declared bytes are there" if at > size else ""
            cause = f"has no index (moov box): its end is missing{there}; copy it again"
            raise RowError("Truncated", cause)
        return "MP4", at
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        at = 0
        while at + 12 <= size and number(at, 4) == 0x52494646:
            length = number(at + 4, 4, "little")
            if not length:
                return "AVI", size
            at += 8 + length + length % 2
        return "AVI", at - RIFF_TOLERANCE
    if head[:4] == b"\x1a\x45\xdf\xa3":
        length, width = _ebml_size(head[4:])
        at = 4 + width + length
        if at >= size:
            return "Matroska", at
        file.seek(at)
        segment = file.read(12)
        length, width = _ebml_size(segment[4:])
        unknown = length == 2 ** (7 * width) - 1  # a live recording
        known = segment[:4] == b"\x18\x53\x80\x67" and not unknown
        return "Matroska", at + 4 + width + length if known else size
    return "", size


def _ebml_size(data: bytes) -> tuple[int, int]:
    """Return the EBML size at the start of `data`, and the width of its encoding in bytes."""
    width = 9 - data[0].bit_length() if data else 1
    return int.from_bytes(data[:width], "big") & (2 ** (7 * width) - 1), width


def check_whole(container: Any, stream: Any, size: int, declared: int) -> None:
    """Check that the file holds all declared bytes and frames.

    Raises:
        RowError: `Truncated`, declared bytes or frames lie past the end of the file.
    """
    frames, readable = stream.frames, stream.frames
    if container.format.name.startswith("mov") and frames:
        entries = list(stream.index_entries)
        frames, readable = len(entries), sum(e.pos + e.size <= size for e in entries)
    elif declared > size:
        frames = frames or round((container.duration or 0) / 1e6 * (stream.average_rate or 0))
        readable = sum(p.size > 0 and not p.is_corrupt for p in container.demux(stream))
    if declared > size or readable < frames:
        raise truncated(size, declared, readable, frames)


def truncated(size: int, declared: int, readable: int = 0, frames: int = 0) -> RowError:
    parts = [f"{readable} of {frames} declared frames can be read"] if frames else []
    parts += [f"{size} of {declared} declared bytes are there"] if declared > size else []
    return RowError("Truncated", f"{', '.join(parts)}; copy the file again")


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
    ticks: list[int | None] = []
    keys: list[int] = []
    leading, hollow, coded = False, 0, stream.codec_context.name != "rawvideo"
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.is_keyframe and packet.pts is not None:
            keys.append(packet.pts)
        elif keys and packet.pts is not None:
            leading |= packet.pts < keys[-1]
        if not packet.is_discard:  # hidden by an edit list
            ticks.append(packet.pts)
            hollow += coded and not any(bytes(memoryview(packet)[:64]))
    if not ticks:
        raise RowError("DecodeFailed", "has a video stream that holds no frame")
    if hollow:  # an interrupted copy into preallocated space
        raise truncated(0, 0, len(ticks) - hollow, len(ticks))
    name, known = container.format.name, sorted(t for t in ticks if t is not None)
    # AVI stores decode times only. MPEG-PS stores a time for every few frames only.
    by_count = len(set(known)) < len(ticks) or name == "mpeg"
    if by_count or (name == "avi" and stream.codec_context.has_b_frames):
        return Index(np.arange(len(ticks)), [0], by_count=True)
    # A recording may start between keyframes. Frames before the first one cannot be decoded.
    known = [tick for tick in known if tick >= min(keys, default=tick)]
    return Index(np.array(known, dtype=np.int64), sorted(keys), leading)
