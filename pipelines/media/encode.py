"""Encode a clip as MP4 bytes that browsers play; the same frames give the same bytes anywhere."""

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

# Measured with different contents of fresh memory: with several threads, its default, the scaler
# gives different pixels from run to run, and so does x264 with its macroblock tree.
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT

FASTEST = 1000.0  # frames a second
CODECS = {"yuv420p": "libx264", "yuv444p": "libx264", "rgb24": "libx264rgb"}


def encode_video(
    frames: np.ndarray, fps: float, crf: int = 12, pixel_format: str = "yuv420p"
) -> bytes:
    """Encode frames uint8 (f, H, W, 3) RGB, shown at fps a second, as H.264 in MP4 (index first).

    pixel_format: "yuv420p" plays everywhere and needs even H and W; "yuv444p" keeps full colour
    resolution; "rgb24" with crf 0 is lossless. The last two do not play in every browser.
    crf: 0 (largest file) to 51 (smallest).
    One encoder thread and no version or time stamps: the bytes depend on the arguments and on the
    installed PyAV only. Raises ValueError that names the argument.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size or frames.dtype != np.uint8:
        raise ValueError(f"frames: want uint8 (f, H, W, 3), got {frames.dtype} {frames.shape}")
    if not 0 < fps < FASTEST:
        raise ValueError(f"fps: want a number between 0 and {FASTEST:g}, got {fps}")
    if not 0 <= crf <= 51:
        raise ValueError(f"crf: want 0 to 51, got {crf}")
    if pixel_format not in CODECS:
        raise ValueError(f"pixel_format: want one of {', '.join(CODECS)}, got {pixel_format!r}")
    height, width = frames.shape[1:3]
    if pixel_format == "yuv420p" and (height % 2 or width % 2):
        raise ValueError(f"frames: yuv420p needs even height and width, got {height} x {width}")

    rate = Fraction(fps).limit_denominator(1001)
    options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
    # To move the index to the front the muxer reads its own output: that needs a real file.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        muxing = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(str(path), "w", options=muxing) as container:
            stream: Any = container.add_stream(CODECS[pixel_format], rate=rate, options=options)
            stream.height, stream.width, stream.pix_fmt = height, width, pixel_format
            if pixel_format != "rgb24":
                _tag_bt709(stream.codec_context)
            for picture in frames:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                if pixel_format != "rgb24":
                    frame = frame.reformat(
                        format=pixel_format,
                        dst_colorspace=Colorspace.ITU709,
                        src_color_range=ColorRange.JPEG,
                        dst_color_range=ColorRange.MPEG,
                        interpolation=EXACT,
                        threads=1,
                    )
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path.read_bytes()


def _tag_bt709(codec: Any) -> None:
    """Say in the file what its colours mean; unsaid, each player guesses from the height."""
    codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
    codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
