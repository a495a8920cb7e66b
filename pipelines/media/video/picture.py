"""Convert decoded frames to pictures as players show them: RGB, BT.709, with square pixels."""

from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np
from av.video.reformatter import (
    ColorPrimaries,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

HD_LINES = 720
"""Frames without a colour matrix are BT.709 from this height on, and BT.601 below."""
HDR = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
"""PQ and HLG, ITU-R BT.2100."""
WIDE = (ColorPrimaries.BT2020, ColorPrimaries.SMPTE431, ColorPrimaries.SMPTE432)
"""Primaries of a wider gamut than BT.709: BT.2020 and DCI-P3."""
UNSPECIFIED = 2
"""A matrix, transfer or primaries that a stream does not state: ITU-T H.273."""
MOST_ASPECT = 8
"""Largest plausible ratio of a pixel's sides."""
PLAIN = ("yuv420p", "yuvj420p")
"""Formats that FFmpeg and decord convert by the same tables."""
# With several threads, the default, the scaler gives different pixels from run to run.
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


class Pictures:
    """Converts the frames of a stream to pictures.

    Interlaced frames are deinterlaced, HDR and wide gamuts are mapped to BT.709, and transparent
    pixels are shown on black. Pictures are stretched to square pixels, and rotated and mirrored.

    Args:
        pixel_aspect: width of a pixel by its height, as `pixel_aspect` returns.
        matrix: as `display_matrix` returns.
    """

    def __init__(self, pixel_aspect: Fraction, matrix: np.ndarray) -> None:
        self.pixel_aspect = pixel_aspect
        self.matrix = matrix
        self._reformatter = VideoReformatter()
        self._graphs: dict[tuple[int, int, str], Any] = {}

    def __call__(self, frame: Any) -> np.ndarray:
        """Return the picture of a frame, uint8 (H, W, 3) RGB."""
        transparent = any(component.is_alpha for component in frame.format.components)
        asked: dict[str, Any] = {
            "format": "rgba" if transparent else "rgb24",
            "height": frame.height,
            "width": round(frame.width * self.pixel_aspect),
        }
        if frame.colorspace == UNSPECIFIED and frame.height >= HD_LINES:
            asked["src_colorspace"] = Colorspace.ITU709
        if frame.format.name not in PLAIN or self.pixel_aspect != 1 or _is_wide(frame):
            asked["interpolation"] = EXACT
        if _is_wide(frame):
            asked["dst_color_trc"] = ColorTrc.BT709
            asked["dst_color_primaries"] = ColorPrimaries.BT709
        source = self._deinterlaced(frame) if frame.interlaced_frame else frame
        picture = self._reformatter.reformat(source, threads=1, **asked).to_ndarray()
        if transparent:
            opacity = picture[..., 3:].astype(np.uint16)
            picture = ((picture[..., :3] * opacity + 127) // 255).astype(np.uint8)
        return _as_shown(picture, self.matrix)

    def is_plain(self, frame: Any) -> bool:
        """Whether every player converts the frame in the same way."""
        progressive, square = not frame.interlaced_frame, self.pixel_aspect == 1
        stated = frame.colorspace != UNSPECIFIED or frame.height < HD_LINES
        shown = progressive and square and stated and not _is_wide(frame)
        return shown and frame.format.name in PLAIN

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the picture of a frame of this height and width."""
        stored = np.empty((height, round(width * self.pixel_aspect)))
        return _as_shown(stored, self.matrix).shape

    def _deinterlaced(self, frame: Any) -> Any:
        """Return the frame with the lines of one field interpolated from the other.

        A filter that reads neighbouring frames would make a picture depend on where decoding began.
        """
        key = (frame.width, frame.height, frame.format.name)
        if key not in self._graphs:
            graph = av.filter.Graph()
            ends = (
                graph.add_buffer(
                    width=frame.width,
                    height=frame.height,
                    format=frame.format,
                    time_base=Fraction(1, 1000),
                ),
                graph.add("estdif", "mode=frame:deint=interlaced"),
                graph.add("buffersink"),
            )
            graph.link_nodes(*ends).configure()
            self._graphs[key] = graph
        graph, last = self._graphs[key], None
        for _ in range(2):  # the filter returns a frame when the next one arrives
            graph.push(frame)
            with suppress(BlockingIOError):
                last = graph.pull()
        return last


def _is_wide(frame: Any) -> bool:
    """Whether a frame is HDR, or has a wider gamut than BT.709."""
    return frame.color_trc in HDR or frame.color_primaries in WIDE


def pixel_aspect(stream: Any) -> Fraction:
    """Return the width of a stream's pixels by their height; 1 if not stated or implausible."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    return aspect if 1 / MOST_ASPECT <= aspect <= MOST_ASPECT else Fraction(1)


def display_matrix(frame: Any) -> np.ndarray:
    """Return the (2, 2) matrix that maps stored (x, y), as a row vector, to displayed (x, y)."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return np.eye(2)
    return np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2] / 2**16


def _as_shown(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Rotate a picture (H, W, ...) by quarter turns and mirror it, as given by `matrix`."""
    (xx, xy), (yx, yy) = matrix
    across, down = xx, yy
    if abs(xy) > abs(xx):
        picture, across, down = picture.swapaxes(0, 1), yx, xy
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
