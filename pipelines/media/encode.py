"""Encode clips as MP4 that browsers play, with the same bytes for the same frames; decode them."""

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from pipelines.media.video.library_errors import row_errors
from pipelines.media.video.picture import EXACT

FASTEST = 1000.0  # frames a second
PIXELS = "yuv420p"  # the only format that all browsers play
PIXELS_ODD = "yuv444p"
TICK = Fraction(1, 90_000)
"""Unit of the times of frames that are not evenly spaced, seconds: the clock of MPEG."""


def encode_video(
    frames: np.ndarray, fps: float, crf: int = 12, timestamps: Sequence[float] | None = None
) -> bytes:
    """Encode a clip as H.264 in MP4, with the index first.

    Uses one encoder thread and writes no version or time stamp, so that the bytes depend only on
    the arguments and the installed PyAV.

    Args:
        frames: uint8 (f, H, W, 3) RGB, with even H and W.
        fps: frames a second, between 0 and `FASTEST`, both exclusive.
        crf: H.264 quality from 0 (largest file) to 51 (smallest).
        timestamps: display time of each frame in seconds, ascending from 0. None: frame i is shown
            at i / fps.

    Raises:
        ValueError: an argument is invalid. The message names the argument.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size or frames.dtype != np.uint8:
        raise ValueError(f"frames: want uint8 (f, H, W, 3), got {frames.dtype} {frames.shape}")
    if not 0 < fps < FASTEST:
        raise ValueError(f"fps: want a number between 0 and {FASTEST:g}, got {fps}")
    if not 0 <= crf <= 51:
        raise ValueError(f"crf: want 0 to 51, got {crf}")
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise ValueError(f"frames: {PIXELS} needs even height and width, got {height} x {width}")
    if timestamps is not None and len(timestamps) != len(frames):
        raise ValueError(f"timestamps: want {len(frames)}, got {len(timestamps)}")

    return encode_frames(frames, fps, crf, timestamps)


def encode_frames(
    pictures: Iterable[np.ndarray],
    fps: float,
    crf: int = 12,
    timestamps: Sequence[float] | None = None,
    keyframes: Collection[int] = (),
) -> bytes:
    """Encode pictures one after the other as `encode_video`: a clip of HD frames has gigabytes.

    A picture of odd height or width has full colour resolution (4:4:4), which not all browsers
    play.

    Args:
        pictures: uint8 (H, W, 3) RGB of equal size, at least one.
        fps, crf, timestamps: see `encode_video`.
        keyframes: numbers of pictures from which a reader can start to decode, besides the first
            one and those that the encoder chooses.
    """
    pictures = iter(pictures)
    first = next(pictures)
    height, width = first.shape[:2]
    pixels = PIXELS_ODD if height % 2 or width % 2 else PIXELS
    rate = Fraction(fps).limit_denominator(1001)
    # The macroblock tree of x264 gives other bytes from run to run (measured with different
    # contents of uninitialised memory).
    options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
    if keyframes:
        options["forced-idr"] = "1"
    # The muxer reads its own output to move the index to the front, which needs a real file.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        muxing = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(str(path), "w", options=muxing) as container:
            stream: Any = container.add_stream("libx264", rate=rate, options=options)
            stream.height, stream.width, stream.pix_fmt = height, width, pixels
            if timestamps is not None:
                stream.codec_context.time_base = TICK
            _tag_bt709(stream.codec_context)
            for number, picture in enumerate(chain([first], pictures)):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                frame = frame.reformat(
                    format=pixels,
                    dst_colorspace=Colorspace.ITU709,
                    src_color_range=ColorRange.JPEG,
                    dst_color_range=ColorRange.MPEG,
                    interpolation=EXACT,
                    threads=1,
                )
                if number in keyframes:
                    frame.pict_type = PictureType.I
                if timestamps is not None:
                    frame.pts, frame.time_base = round(timestamps[number] / TICK), TICK
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path.read_bytes()


def decode_video(data: bytes) -> np.ndarray:
    """Decode every frame of a clip written by `encode_video` to uint8 (f, H, W, 3) RGB.

    Raises:
        RowError: `DecodeFailed`.
    """
    with row_errors("the clip cannot be decoded"):
        return np.stack([*decode_frames(data)])


def decode_frames(data: bytes) -> Iterator[np.ndarray]:
    """Yields the frames of a clip written by `encode_frames`, uint8 (H, W, 3) RGB.

    Raises:
        RowError: `DecodeFailed`.
    """
    with row_errors("the clip cannot be decoded"), av.open(BytesIO(data)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24", threads=1)


def _tag_bt709(codec: Any) -> None:
    """Declare the colour space in the file. Players otherwise guess from the height."""
    codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
    codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
