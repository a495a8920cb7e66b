"""Clips of files whose clocks, streams, sizes or entry points are unusual: the right frames."""

from fractions import Fraction

import av
import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.media.encode import decode_video
from pipelines.reliability.deadline import Deadline
from pipelines.schema import SOURCES
from pipelines.stages.find_clips import FindClips
from tests.pipelines.support.videos import coded_frames, read_codes, write_video

SETTINGS = (
    *("clip.num_frames=8", "clip.height=64", "clip.width=128", "clip.max_clips_per_video=null"),
    *("clip.skip_static=null", "clip.skip_duplicates=null", "clip.skip_black=null"),
)
AT_8_FPS = [0, 3, 6, 9, 12, 15, 18, 21]
"""Frames of 25 a second, sampled at 8 a second."""


@pytest.fixture
def clips(tmp_path):
    """Finds the clips of a file: start, frame rate and frame numbers of each, or why not."""

    def find(path, start=None, *assignments):
        clip = load_config(assignments=[*SETTINGS, *assignments]).clip
        row = dict.fromkeys(SOURCES.names) | {"source_uri": path.name, "location": str(path)}
        row |= {"source_row": "r", "start_seconds": start}
        deadline = Deadline(60)
        return [
            (
                round(found["start_seconds"], 3),
                round(found["fps"], 3),
                read_codes(decode_video(found["source_video"])),
            )
            if found["status"] == "ok"
            else (found["error_type"], found["error_message"])
            for found in FindClips(clip, {}, deadline)(row)
        ]

    return find


@pytest.mark.parametrize("name", ["refresh.mp4", "refresh.ts", "refresh.mkv"])
def test_clips_of_a_stream_with_intra_refresh_show_whole_pictures(clips, tmp_path, name):
    options = {"x264-params": "intra-refresh=1:keyint=20:bframes=0"}
    path = write_video(tmp_path / name, coded_frames(75), options=options)
    assert clips(path) == [(k, 8, [25 * k + n for n in AT_8_FPS]) for k in range(3)]
    assert clips(path, 1.0) == [(1, 8, [25 + n for n in AT_8_FPS])]


def test_a_pause_separates_clips_and_does_not_change_their_rate(clips, tmp_path):
    pts = [*range(0, 2000, 40), *range(602_000, 604_000, 40)]
    frames = coded_frames(100)
    path = write_video(tmp_path / "pause.mp4", frames, pts=pts, time_base=Fraction(1, 1000))
    expected = [(k, 8, [25 * k + n for n in AT_8_FPS]) for k in range(2)]
    later = [(602 + k, 8, [50 + 25 * k + n for n in AT_8_FPS]) for k in range(2)]
    assert clips(path) == expected + later
    assert clips(path, 0.0) == expected[:1]
    assert clips(path, 603.0) == later[1:]


def test_the_rate_of_a_clip_is_that_of_its_own_span(clips, tmp_path):
    pts = [*range(0, 4000, 200), *range(4000, 6000, 40)]  # 5 frames a second, then 25
    path = write_video(
        tmp_path / "rates.mkv", coded_frames(len(pts)), pts=pts, time_base=Fraction(1, 1000)
    )
    rates = [fps for _, fps, _ in clips(path)]
    assert rates[0] == 5 and rates[-1] == 8


def test_joined_recordings_follow_each_other(clips, tmp_path):
    frames = coded_frames(80)
    options = {"x264-params": "keyint=20:bframes=2"}
    first = write_video(tmp_path / "first.ts", frames[:40], options=options)
    pts = [*range(20, 1620, 40)]  # the second clock is 20 ms ahead
    second = write_video(
        tmp_path / "second.ts", frames[40:], options=options, pts=pts, time_base=Fraction(1, 1000)
    )
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    found = clips(joined)
    assert found == [(k, 8, [25 * k + n for n in AT_8_FPS]) for k in range(3)]


@pytest.mark.parametrize("split", [True, False])
def test_no_clip_mixes_frames_of_two_sizes(clips, tmp_path, split):
    wide, high = coded_frames(40), coded_frames(40, 128, 128) // 2 + 60
    first = write_video(tmp_path / "wide.ts", wide)
    second = write_video(
        tmp_path / "high.ts", high, pts=list(range(40, 80)), time_base=Fraction(1, 25)
    )
    joined = tmp_path / "sizes.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    found = clips(joined, None, f"clip.split_shots={str(split).lower()}")
    assert found[0] == (0, 8, AT_8_FPS)
    if split:
        assert [start for start, _, _ in found] == [0, 1.6]
    else:
        assert found[1] == ("SizeChanges", "the picture changes its size: 128×64, 128×128")


def test_an_avi_with_reordered_frames_has_its_own_rate(clips, tmp_path):
    options = {"x264-params": "keyint=20:bframes=3:b-adapt=0"}
    path = write_video(tmp_path / "b.avi", coded_frames(75), options=options)
    assert clips(path) == [(k, 8, [25 * k + n for n in AT_8_FPS]) for k in range(3)]
    assert clips(path, 1.0) == [(1, 8, [25 + n for n in AT_8_FPS])]


def test_the_main_stream_is_read_beside_a_proxy(clips, tmp_path):
    path, default = tmp_path / "two.mp4", av.stream.Disposition.default
    with av.open(str(path), "w") as container:
        small, main = (container.add_stream("libx264", rate=25) for _ in range(2))
        for stream, size in ((small, (64, 32)), (main, (128, 64))):
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        small.disposition, main.disposition = av.stream.Disposition(0), default
        for picture in coded_frames(25):
            for stream in (small, main):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                container.mux(stream.encode(frame.reformat(stream.width, stream.height)))
        for stream in (small, main):
            container.mux(stream.encode(None))
    assert clips(path) == [(0, 8, AT_8_FPS)]


def test_an_unknown_box_before_the_index_is_skipped(clips, tmp_path):
    data = write_video(tmp_path / "plain.mp4", coded_frames(25)).read_bytes()
    index = data.rindex(b"moov") - 4
    path = tmp_path / "vendor.mp4"
    path.write_bytes(data[:index] + b"\0\0\0\x18vndr" + bytes(16) + data[index:])
    assert clips(path) == [(0, 8, AT_8_FPS)]
    path.write_bytes(data[:index] + b"\0\0\0\x18vndr" + bytes(16))
    assert clips(path)[0][0] == "Truncated"


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mjpeg"])
def test_a_clip_of_damaged_data_is_refused_and_not_concealed(clips, tmp_path, codec):
    suffix, pixel_format = ("mp4", "yuv420p") if codec != "mjpeg" else ("avi", "yuvj420p")
    path = write_video(
        tmp_path / f"a.{suffix}", coded_frames(75), codec=codec, pixel_format=pixel_format
    )
    assert len(clips(path)) == 3
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    path.write_bytes(data)
    ((kind, message),) = clips(path)
    assert kind == "DecodeFailed" and "cannot be decoded (" in message
    ((start, _, codes),) = clips(path, 0.0)
    assert (start, codes) == (0, AT_8_FPS)
