"""Decode the packets of a stream in order, with everything that the decoder reports as damaged.

Decoders conceal errors: the pictures are made up from earlier ones, and only a log line or a flag
of the frame says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av

from pipelines.media.video.entry_points import is_entry_point

DAMAGED = "the data is damaged"
WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that return transparency, which those of FFmpeg ignore."""
HARMLESS = ("SEI ", "mmco: ", "Late SEI ")
"""Beginnings of messages of level ERROR about metadata that no picture depends on."""


def decoder(stream: Any) -> Any:
    """Return a decoder of a stream, which uses one thread."""
    codec = stream.codec_context
    if codec.name in WITH_ALPHA and stream.metadata.get("alpha_mode") == "1":
        codec = av.CodecContext.create(WITH_ALPHA[codec.name], "r")
    codec.thread_count = 1  # each row is scheduled on one CPU
    return codec


def decode(codec: Any, packets: Iterator[Any]) -> Iterator[tuple[Any, str | None]]:
    """Yield the frames in display order, each with the reason why its picture is wrong, or None.

    Frames after an error are wrong up to the next entry point, because they depend on each other.

    Args:
        packets: packets from an entry point on.
    """
    damage, first, clean_from = None, None, None
    while True:
        with _reported() as errors:
            packet = next(packets, None)
            if packet is None:
                return
            frames = _frames(codec, packet, errors)
        first = packet.pts if first is None else first
        # Frames shown before the first one lack their reference frames.
        leading = packet.pts is not None and first is not None and packet.pts < first
        if errors and not leading:
            damage, clean_from = errors[0], None
        elif damage and is_entry_point(packet):
            clean_from = packet.pts
        for frame in frames:
            if clean_from is not None and frame.pts is not None and frame.pts >= clean_from:
                damage, clean_from = None, None
            yield frame, damage or (DAMAGED if frame.is_corrupt else None)


def _frames(codec: Any, packet: Any, errors: list[str]) -> list[Any]:
    """Decode a packet. Data that cannot be decoded is added to `errors`."""
    try:
        frames: list[Any] = codec.decode(packet if packet.size else None)
    except av.error.InvalidDataError as error:
        errors.append(str(error.strerror))
        return []
    return frames


@contextmanager
def _reported() -> Iterator[list[str]]:
    """Yield a list which receives the errors that FFmpeg logs inside the block."""
    level = av.logging.get_level()
    errors: list[str] = []
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture(local=True) as logs:
            yield errors
    finally:
        av.logging.set_level(level)
        found = [message.strip() for _, _, message in logs if not message.startswith(HARMLESS)]
        errors.extend(found)
