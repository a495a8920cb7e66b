"""Read the size and number of frames that a video container declares."""

from typing import Any, Literal

from pipelines.errors import RowError

# Writers of AVI disagree on whether a chunk's size counts its own header and padding.
RIFF_TOLERANCE = 9
BOXES = b"ftyp moov mdat moof mfra free skip wide sidx styp uuid meta pnot udta emsg prft".split()


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
        at = 0
        seen: set[bytes] = set()
        while at < size:
            file.seek(at)
            box = file.read(16)
            length = int.from_bytes(box[:4], "big")
            if length == 1:
                length = int.from_bytes(box[8:16], "big")
            is_vendors = 8 <= length <= size - at and not {b"moov", b"mdat"} <= seen
            if len(box) >= 8 and box[4:8] not in BOXES and not is_vendors:
                break  # bytes after the last box are not part of the container
            seen.add(box[4:8])
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
