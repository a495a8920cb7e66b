"""What cannot be read as a video is refused with the true reason."""

import os
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipelines.errors import RowError
from pipelines.media.video import opening
from pipelines.media.video.opening import open_video
from tests.pipelines.media.video.test_reader import B_FRAMES, FASTSTART
from tests.pipelines.support.videos import coded_frames, write_audio, write_video

N = 60
WRITERS: dict[str, dict[str, Any]] = {
    "faststart.mp4": {"options": B_FRAMES, "container_options": FASTSTART},
    "index_last.mp4": {"options": B_FRAMES, "audio": True},
    "fragments.mp4": {
        "options": B_FRAMES,
        "container_options": {"movflags": "frag_keyframe+empty_moov"},
    },
    "h264.mkv": {"options": B_FRAMES},
    "h264.mov": {"options": B_FRAMES},
    "h264.avi": {"options": {"bf": "0", "g": "12"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "20", "cpu-used": "8"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "11"}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    os.environ.setdefault("SVT_LOG", "1")
    folder = tmp_path_factory.mktemp("videos")
    frames = coded_frames(N)
    for name, keywords in WRITERS.items():
        write_video(folder / name, frames, **keywords)
    return folder


def refusal(uri: Path | str) -> RowError:
    """The error that a file raises, at the latest when all its frames are requested."""
    with pytest.raises(RowError) as caught, open_video(str(uri)) as video:
        video.frames(range(len(video.timestamps)))
    assert "\n" not in caught.value.message
    return caught.value


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


def test_damaged_data_raises_an_error_instead_of_returning_a_picture(
    folder: Path, tmp_path: Path
) -> None:
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

    monkeypatch.setattr(opening, "open", refuse, raising=False)
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

    monkeypatch.setattr(opening, "_open_file", lambda uri, options: (Lost(), None))
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
