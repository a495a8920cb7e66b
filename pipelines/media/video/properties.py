"""The properties of a video file that explain its pictures."""

import math
from typing import Any

from av.video.reformatter import ColorTrc

from pipelines.media.video.picture import UNSPECIFIED, display_matrix, pixel_aspect

FIELD_ORDERS = {1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}
"""AVFieldOrder: the field that is coded first, and the field that is displayed first."""


def properties(stream: Any, frame: Any) -> dict[str, Any]:
    """Return the columns `schema.PROPERTIES` of a stream.

    Args:
        frame: the first frame of the stream.
    """
    transfer = frame.color_trc
    field_order = FIELD_ORDERS.get(stream.codec_context.field_order)
    if frame.interlaced_frame and field_order in (None, "progressive"):
        field_order = "interlaced"
    return {
        "source_width": frame.width,
        "source_height": frame.height,
        "source_pixel_aspect": float(pixel_aspect(stream)),
        "source_rotation": _rotation(frame),
        "source_rate": float(stream.average_rate or 0) or None,
        "source_colour_transfer": _transfer(transfer),
        "source_field_order": field_order,
        "source_codec": stream.codec.canonical_name,
    }


def _rotation(frame: Any) -> int:
    """Return the clockwise rotation of the picture for display, degrees from 0 to 359."""
    (xx, xy), _ = display_matrix(frame)
    return round(math.degrees(math.atan2(xy, xx))) % 360


def _transfer(code: int) -> str | None:
    """Return the name of a transfer characteristic of ITU-T H.273; None if not stated."""
    known = {int(trc): trc.name.lower() for trc in ColorTrc}
    return None if code in (0, UNSPECIFIED) else known.get(int(code), str(code))
