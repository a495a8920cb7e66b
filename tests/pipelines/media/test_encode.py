import os
import subprocess
import sys
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipelines.errors import RowError
from pipelines.media.encode import (
    count_frames,
    decode_video,
    encode_lossless,
    encode_video,
    frame_rate,
    join_videos,
)
from pipelines.media.video.opening import open_video
from tests.pipelines.support.videos import coded_frames, read_codes

SCRIPT = """
import hashlib, sys
import numpy as np
from pipelines.media.encode import decode_video, encode_video
from pipelines.media.video.opening import open_video

noise = np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8)
noise = (noise.astype(int) + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) // 3
frames = np.stack([noise[i : i + 64, 2 * i : 2 * i + 96] for i in range(16)]).astype(np.uint8)
data = encode_video(frames, 8.0)
with open(sys.argv[1], "wb") as file:
    file.write(data)
with open_video(sys.argv[1]) as video:
    shown = video.frames(range(16))
for result in (data, decode_video(data).tobytes(), shown.tobytes()):
    print(hashlib.sha256(result).hexdigest())
"""


def test_bytes_and_pixels_do_not_depend_on_uninitialised_memory(tmp_path):
    """Reading uninitialised memory would make an encoder or scaler differ between processes."""
    results = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / f"{fill}.mp4")],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"MALLOC_PERTURB_": str(fill)},
        ).stdout
        for fill in (0, 1, 85, 170, 255)
    }
    assert len(results) == 1


def test_equal_frames_give_equal_bytes():
    frames = np.random.default_rng(0).integers(0, 256, (5, 32, 48, 3), dtype=np.uint8)
    assert encode_video(frames, 7.5) == encode_video(frames.copy(), 7.5)


def colour_chart() -> tuple[np.ndarray, np.ndarray]:
    """32 colours (32, 3), most of them saturated, and a picture (128, 256, 3) of their squares."""
    levels = np.stack(np.meshgrid([0, 128, 255], [0, 128, 255], [0, 128, 255]), -1).reshape(-1, 3)
    more = [(220, 30, 30), (30, 200, 60), (20, 40, 230), (250, 220, 10), (90, 0, 160)]
    colours = np.concatenate([levels, more]).astype(np.uint8)
    return colours, colours.reshape(4, 8, 3).repeat(32, axis=0).repeat(32, axis=1)


def test_every_decoder_returns_the_written_colours(tmp_path: Path) -> None:
    colours, chart = colour_chart()
    data = encode_video(np.stack([chart] * 8), fps=8)
    (tmp_path / "chart.mp4").write_bytes(data)
    decoded = {"bytes": decode_video(data)[3]}
    with open_video(str(tmp_path / "chart.mp4")) as video:
        for _ in range(2):
            picture = video.frames([3])[0]
            decoded[video.decoder] = picture
    assert set(decoded) == {"bytes", "pyav"} | ({"decord"} if find_spec("decord") else set())
    for decoder, frame in decoded.items():
        flat = frame.reshape(4, 32, 8, 32, 3)[:, 8:24, :, 8:24].astype(int)
        error = np.abs(flat - colours.reshape(4, 1, 8, 1, 3)).mean(axis=(1, 3, 4))
        assert error.mean() <= 1.5 and error.max() <= 4, decoder


@pytest.mark.parametrize("fps", [8, 25.0, 30000 / 1001, 29.97003, 23.976, 12.5, 0.5])
def test_a_clip_keeps_its_frames_and_rate(tmp_path: Path, fps: float) -> None:
    frames = coded_frames(16)
    data = encode_video(frames, fps)
    assert data.index(b"moov") < data.index(b"mdat")
    decoded = decode_video(data)
    assert decoded.shape == frames.shape and read_codes(decoded) == list(range(16))
    (tmp_path / "clip.mp4").write_bytes(data)
    with open_video(str(tmp_path / "clip.mp4")) as video:
        assert video.rate(0, 16) == pytest.approx(fps, rel=1e-5)
        np.testing.assert_array_equal(video.frames(range(16)), decoded)


def test_a_clip_keeps_the_times_of_its_frames(tmp_path: Path) -> None:
    frames = coded_frames(16)
    times = [0.0, 0.02, 0.5, *(1 + number / 60 for number in range(13))]
    data = encode_video(frames, 12.5, timestamps=times)
    assert encode_video(frames, 12.5, timestamps=times) == data
    assert read_codes(decode_video(data)) == list(range(16))
    (tmp_path / "clip.mp4").write_bytes(data)
    with open_video(str(tmp_path / "clip.mp4")) as video:
        assert video.timestamps.tolist() == pytest.approx(times, abs=1 / 90_000)
        assert read_codes(video.frames(range(16))) == list(range(16))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot take cores away here")
def test_equal_frames_give_equal_bytes_on_any_number_of_cores() -> None:
    frames = coded_frames(16)
    cores = os.sched_getaffinity(0)
    data = encode_video(frames, 8)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert encode_video(frames[:, :, ::-1][:, :, ::-1], 8) == data
    finally:
        os.sched_setaffinity(0, cores)
    assert b"Lavf" not in data


@pytest.mark.parametrize(
    ("argument", "changed"),
    [
        ("frames", {"frames": np.zeros((2, 33, 32, 3), np.uint8)}),
        ("frames", {"frames": np.zeros((0, 32, 32, 3), np.uint8)}),
        ("frames", {"frames": np.zeros((2, 32, 32, 3), np.float32)}),
        ("fps", {"fps": 0}),
        ("fps", {"fps": float("nan")}),
        ("crf", {"crf": 99}),
        ("timestamps", {"timestamps": [0.0]}),
    ],
)
def test_a_wrong_argument_is_reported_by_name(argument: str, changed: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"frames": np.zeros((2, 32, 32, 3), np.uint8), "fps": 8}
    with pytest.raises(ValueError, match=f"^{argument}: "):
        encode_video(**(arguments | changed))


def test_bytes_that_cannot_be_decoded_raise_a_row_error() -> None:
    for data in (b"", b"no video"):
        with pytest.raises(RowError, match="the clip cannot be decoded"):
            decode_video(data)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_joined_clips_have_all_frames_and_the_keyframes_that_were_asked_for(codec):
    clips = [np.full((5, 64, 96, 3), level, np.uint8) for level in (40, 200)]
    encoded = [encode_video(clip, 10.0, 12) for clip in clips]
    joined = join_videos(encoded, 10.0, codec, keyframes={0, 2, 4, 5, 7, 9})
    assert joined == join_videos(encoded, 10.0, codec, keyframes={0, 2, 4, 5, 7, 9})
    assert count_frames(joined) == 10
    # A second conversion of colours would darken the frames.
    before = np.concatenate([*map(decode_video, encoded)])
    assert np.abs(decode_video(joined).astype(int) - before).max() <= 1
    with av.open(BytesIO(joined)) as file:
        assert file.streams.video[0].codec_context.codec.canonical_name == codec
        packets = [packet for packet in file.demux(video=0) if packet.size]
        assert [n for n, packet in enumerate(packets) if packet.is_keyframe] == [0, 2, 4, 5, 7, 9]
        assert sorted(float(packet.pts * packet.time_base) for packet in packets) == pytest.approx(
            np.arange(10) / 10
        )


@pytest.mark.parametrize("size", [(16, 32), (15, 33)])
def test_a_lossless_clip_has_every_pixel_and_its_rate(size):
    frames = np.random.default_rng(0).integers(0, 256, (5, *size, 3), np.uint8)
    data = encode_lossless(frames, 23.976)
    assert np.array_equal(decode_video(data), frames)
    assert frame_rate(data) == pytest.approx(23.976, abs=1e-3)
    assert encode_lossless(frames, 23.976) == data
