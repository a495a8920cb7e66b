"""Recognise the packets at which decoding can start with exact pictures.

Containers and parsers of H.264 and HEVC also mark packets as keyframes from which a picture is
only complete some frames later (periodic intra refresh), or never.
"""

from collections.abc import Iterator
from typing import Any

IDR, SEI = 5, 6
"""NAL unit types of H.264: ITU-T H.264, table 7-1."""
RECOVERY_POINT = 6
"""The SEI payload type of ITU-T H.264, D.1.8."""
HEVC_IRAP = range(16, 22)
"""NAL unit types of HEVC at which decoding can start: ITU-T H.265, table 7-1."""


def is_entry_point(packet: Any) -> bool:
    """Whether frames shown at or after the packet's frame are exact if decoding starts here."""
    if not packet.is_keyframe:
        return False
    codec = packet.stream.codec_context
    if codec.name not in ("h264", "hevc"):
        return True
    units = list(_nal_units(bytes(packet), codec.extradata or b"", codec.name))
    if codec.name == "hevc":
        return any(unit[0] >> 1 & 0x3F in HEVC_IRAP for unit in units)
    types = [unit[0] & 0x1F for unit in units]
    if IDR in types:
        return True
    counts = [_recovery_frames(unit[1:]) for unit in units if unit[0] & 0x1F == SEI]
    return 0 in counts


def _nal_units(data: bytes, extradata: bytes, codec: str) -> Iterator[bytes]:
    """Yield the NAL units of a packet, in the format that the container's header declares."""
    if extradata[:1] != b"\1":  # ITU-T H.264 and H.265, annex B
        for part in data.split(b"\0\0\1")[1:]:
            if part:
                yield part
        return
    # ISO/IEC 14496-15: the width of a length is in the avcC or hvcC record.
    at = 4 if codec == "h264" else 21
    width = (extradata[at] & 3) + 1 if len(extradata) > at else 4
    place = 0
    while place + width < len(data):
        length = int.from_bytes(data[place : place + width], "big")
        if length:
            yield data[place + width : place + width + length]
        place += width + length


def _recovery_frames(payloads: bytes) -> int | None:
    """Return recovery_frame_cnt of the SEI messages of a NAL unit; None without one."""
    data = payloads.replace(b"\0\0\3", b"\0\0")
    at = 0
    while at + 2 < len(data):  # the trailing bits are one byte
        kind = size = 0
        while at < len(data) and data[at] == 0xFF:
            kind, at = kind + 255, at + 1
        kind, at = kind + data[at], at + 1
        while at < len(data) and data[at] == 0xFF:
            size, at = size + 255, at + 1
        if at >= len(data):
            return None
        size, at = size + data[at], at + 1
        if kind == RECOVERY_POINT:
            return _exp_golomb(data[at : at + size])
        at += size
    return None


def _exp_golomb(data: bytes) -> int | None:
    """Return the unsigned Exp-Golomb number (ue(v)) at the start of `data`."""
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    code = bits[zeros : 2 * zeros + 1]
    return int(code, 2) - 1 if len(code) == zeros + 1 else None
