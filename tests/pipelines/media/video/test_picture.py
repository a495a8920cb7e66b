"""Pictures are those that a player shows, by exact patches and shapes."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from pipelines.media.video.opening import open_video
from pipelines.media.video.picture import _as_shown
from tests.pipelines.support.videos import write_video

PATCHES = np.array(
    [
        *([200, 30, 30], [30, 170, 40], [30, 50, 200], [128, 128, 128]),
        *([235, 235, 235], [225, 170, 140], [40, 40, 40], [20, 180, 190]),
    ],
    np.uint8,
)
REFERENCE_WHITE = 203.0
"""Luminance of SDR white in HDR, cd/m²: ITU-R BT.2408."""


def chart(height: int = 96, width: int = 160) -> np.ndarray:
    """The patches in a row (height, width, 3), on grey."""
    picture = np.full((height, width, 3), 70, np.uint8)
    picture[height // 4 : height // 2] = PATCHES.repeat(width // 8, axis=0)
    return picture


def patches(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return picture[3 * height // 8, width // 16 :: width // 8].astype(int)


def write_frames(
    path: Path,
    frames: list[Any],
    codec: str,
    options: dict[str, str],
    **tags: Any,
) -> Path:
    """Write frames in their own pixel format, with tags of the codec."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = frames[0].format.name
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def yuv(picture: np.ndarray, matrix: Colorspace, pixel_format: str = "yuv420p") -> Any:
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return frame.reformat(
        format=pixel_format,
        dst_colorspace=matrix,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )


def first_picture(path: Path) -> np.ndarray:
    with open_video(str(path)) as video:
        picture: np.ndarray = video.frames([0])[0]
        assert picture.shape == (video.height, video.width, 3)
    return picture


@pytest.mark.parametrize(("height", "matrix"), [(720, Colorspace.ITU709), (480, Colorspace.ITU601)])
def test_an_untagged_matrix_follows_the_height(
    tmp_path: Path, height: int, matrix: Colorspace
) -> None:
    frames = [yuv(chart(height, 640), matrix)] * 3
    path = write_frames(tmp_path / "untagged.mp4", frames, "libx264", {"crf": "8"})
    assert np.abs(patches(first_picture(path)) - PATCHES).max() <= 6


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    for aspect, width in ((Fraction(2), 320), (Fraction(12, 11), 175), (Fraction(1, 2), 80)):
        frames = [yuv(chart(), Colorspace.ITU601)] * 3
        tags = {"sample_aspect_ratio": aspect}
        path = write_frames(tmp_path / "wide.mp4", frames, "libx264", {"crf": "8"}, **tags)
        with open_video(str(path)) as video:
            assert (video.height, video.width) == (96, width)
            assert video.properties["source_pixel_aspect"] == float(aspect)
            assert (video.properties["source_width"], video.decoder) == (160, "pyav")
        assert first_picture(path).shape == (96, width, 3)


def pq(light: np.ndarray) -> np.ndarray:
    """Inverse EOTF of SMPTE ST 2084; light in cd/m²."""
    m1, m2 = 2610 / 16384, 2523 / 32
    c1, c2, c3 = 3424 / 4096, 2413 / 128, 2392 / 128
    y = (light / 10000) ** m1
    return ((c1 + c2 * y) / (1 + c3 * y)) ** m2


def hlg(light: np.ndarray) -> np.ndarray:
    """OETF of ITU-R BT.2100 HLG, with the system gamma of 1000 cd/m² on the luminance."""
    luminance = light @ np.array([0.2627, 0.678, 0.0593])
    scene = light / 1000 * np.maximum(luminance / 1000, 1e-9)[..., None] ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    low = np.sqrt(3 * scene)
    high = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.where(scene <= 1 / 12, low, high)


@pytest.mark.parametrize(("transfer", "code"), [("smpte2084", 16), ("arib_std_b67", 18)])
def test_hdr_is_shown_as_sdr(tmp_path: Path, transfer: str, code: int) -> None:
    """A chart of SDR colours, coded as HDR at the reference white, comes back."""
    linear = (chart() / 255.0) ** 2.4 * REFERENCE_WHITE
    to_2020 = np.array(
        [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.088, 0.8956]]
    )
    coded = {16: pq, 18: hlg}[code](linear @ to_2020.T)
    frame = av.VideoFrame.from_ndarray(np.round(coded * 65535).astype(np.uint16), format="rgb48le")
    frame = frame.reformat(
        format="yuv420p10le",
        dst_colorspace=Colorspace.BT2020,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    tags = f"colorprim=bt2020:transfer={transfer.replace('_', '-')}:colormatrix=bt2020nc"
    options = {"preset": "ultrafast", "x265-params": f"log-level=none:crf=4:{tags}:range=limited"}
    path = write_frames(tmp_path / "hdr.mp4", [frame] * 3, "libx265", options)
    shown = patches(first_picture(path))
    assert np.abs(shown - PATCHES).max() <= 45 and shown[4].min() >= 215
    with open_video(str(path)) as video:
        assert video.properties["source_colour_transfer"] == transfer


def test_ten_bits_are_shown_as_eight(tmp_path: Path) -> None:
    frames = [yuv(chart(), Colorspace.ITU601, "yuv420p10le")] * 3
    options = {"preset": "ultrafast", "x265-params": "log-level=none:crf=4"}
    path = write_frames(tmp_path / "ten.mp4", frames, "libx265", options)
    assert np.abs(patches(first_picture(path)) - PATCHES).max() <= 8


def test_the_lines_of_two_fields_are_not_mixed(tmp_path: Path) -> None:
    """A bar that moves between the fields has a comb of alternating lines at both sides."""
    frames = np.full((6, 96, 160, 3), 70, np.uint8)
    for number, frame in enumerate(frames):
        frame[0::2, 20 * number : 20 * number + 24] = 230
        frame[1::2, 20 * number + 10 : 20 * number + 34] = 230
    options = {"x264-params": "interlaced=1:tff=1", "crf": "8", "flags": "+ildct+ilme"}
    path = write_video(tmp_path / "fields.mp4", frames, options=options)
    with open_video(str(path)) as video:
        assert video.properties["source_field_order"] in ("tt", "interlaced")
        shown = video.frames([2])[0].astype(int)
        again = video.frames([4, 2])[1]
    comb = np.abs(np.diff(shown[8:-8], axis=0)).mean()
    assert comb < np.abs(np.diff(frames[2][8:-8].astype(int), axis=0)).mean() / 10
    np.testing.assert_array_equal(shown, again)


def test_transparent_pixels_are_shown_on_black(tmp_path: Path) -> None:
    rgba = np.dstack([chart(), np.full((96, 160), 255, np.uint8)])
    rgba[:, :80, 3] = 0
    frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format="yuva420p")
    path = write_frames(tmp_path / "alpha.webm", [frame] * 3, "libvpx-vp9", {"crf": "4"})
    shown = patches(first_picture(path))
    assert shown[:4].max() <= 4
    assert np.abs(shown[4:] - PATCHES[4:]).max() <= 12


def test_a_mirrored_picture_is_returned_mirrored() -> None:
    picture = np.arange(6).reshape(2, 3)
    mirror = np.array([[-1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(_as_shown(picture, mirror), picture[:, ::-1])
