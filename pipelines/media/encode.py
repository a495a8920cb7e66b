"""Encode clips as MP4 that browsers play, with the same bytes for the same frames; decode them."""

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

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

Codec = Literal["h264", "hevc", "av1"]


class Encoder(NamedTuple):
    """An encoder of FFmpeg that gives the same bytes for the same frames."""

    name: str
    options: Mapping[str, str]
    forced: Mapping[str, str]
    """Options with which frames that are asked for are keyframes."""


def x264(crf: int, further: Mapping[str, str] | None = None) -> Encoder:
    """Returns the encoder of H.264 of a quality, with further options."""
    # The macroblock tree of x264 gives other bytes from run to run (measured with different
    # contents of uninitialised memory).
    options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
    return Encoder("libx264", options | dict(further or {}), {"forced-idr": "1"})


LOSSLESS = Encoder("libx264rgb", {"crf": "0", "preset": "veryfast", "threads": "1"}, {})
"""H.264 in RGB: every pixel is kept."""
ENCODERS: Mapping[Codec, Encoder] = {
    "h264": x264(18, {"bf": "0"}),
    "hevc": Encoder(
        "libx265",
        {
            "crf": "20",
            "preset": "veryfast",
            "x265-params": "log-level=error:pools=1:frame-threads=1:bframes=0",
        },
        {"forced-idr": "1"},
    ),
    "av1": Encoder(
        "libsvtav1",
        {"crf": "20", "preset": "10", "svtav1-params": "lp=1"},
        {"svtav1-params": "lp=1:force-key-frames=1"},
    ),
}
"""By codec, of a quality whose compression is not visible. Frames are decoded in the order in which
they are shown, so that other tools can join files without a new encoding."""


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
    return _encoded(map(_converted, pictures), fps, x264(crf), timestamps, keyframes)


def encode_lossless(frames: np.ndarray, fps: float) -> bytes:
    """Encode a clip as H.264 in RGB: every reader built on FFmpeg gets the same pixels back.

    Args:
        frames: uint8 (f, H, W, 3) RGB of any size.
        fps: frames a second.
    """
    pictures = (av.VideoFrame.from_ndarray(np.ascontiguousarray(f), format="rgb24") for f in frames)
    return _encoded(pictures, fps, LOSSLESS, None, ())


def join_videos(
    videos: Iterable[bytes], fps: float, codec: Codec = "h264", keyframes: Collection[int] = ()
) -> bytes:
    """Encode the frames of clips again, one clip after the other, as one clip.

    Colours are not converted, so that they lose nothing but by the compression.

    Args:
        videos: clips written by `encode_frames`, of equal size, at least one.
        codec: of the result, whose compression is not visible.
        fps, keyframes: see `encode_frames`.

    Raises:
        RowError: `DecodeFailed`.
    """
    frames = (frame for video in videos for frame in _decoded(video))
    return _encoded(frames, fps, ENCODERS[codec], None, keyframes)


def _converted(picture: np.ndarray) -> av.VideoFrame:
    """Returns a picture, uint8 (H, W, 3) RGB, as a frame of a video."""
    height, width = picture.shape[:2]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(
        format=PIXELS_ODD if height % 2 or width % 2 else PIXELS,
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation=EXACT,
        threads=1,
    )


def _encoded(
    frames: Iterator[av.VideoFrame],
    fps: float,
    encoder: Encoder,
    timestamps: Sequence[float] | None,
    keyframes: Collection[int],
) -> bytes:
    first = next(frames)
    rate = Fraction(fps).limit_denominator(1001)
    options = {**encoder.options, **(encoder.forced if keyframes else {})}
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 would print its settings
    # The muxer reads its own output to move the index to the front, which needs a real file.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        muxing = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(str(path), "w", options=muxing) as container:
            stream: Any = container.add_stream(encoder.name, rate=rate, options=options)
            stream.height, stream.width = first.height, first.width
            stream.pix_fmt = first.format.name
            if timestamps is not None:
                stream.codec_context.time_base = TICK
            if not first.format.is_rgb:
                _tag_bt709(stream.codec_context)
            for number, frame in enumerate(chain([first], frames)):
                frame.pict_type = PictureType.I if number in keyframes else PictureType.NONE
                frame.pts, frame.time_base = number, 1 / rate
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
    for frame in _decoded(data):
        yield frame.to_ndarray(format="rgb24", threads=1)


def count_frames(data: bytes) -> int:
    """Returns the number of frames of a clip written by `encode_frames`, from its header."""
    with row_errors("the clip cannot be decoded"), av.open(BytesIO(data)) as container:
        return int(container.streams.video[0].frames)


def frame_rate(data: bytes) -> float:
    """Returns the frames a second of a video, from its header.

    Raises:
        RowError: `DecodeFailed`.
    """
    with row_errors("the clip cannot be decoded"), av.open(BytesIO(data)) as container:
        return float(container.streams.video[0].average_rate)


def _decoded(data: bytes) -> Iterator[av.VideoFrame]:
    with row_errors("the clip cannot be decoded"), av.open(BytesIO(data)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        yield from container.decode(video=0)


def _tag_bt709(codec: Any) -> None:
    """Declare the colour space in the file. Players otherwise guess from the height."""
    codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
    codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
