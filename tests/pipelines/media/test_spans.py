"""The spans of videos that become clips, with frames that encode their number."""

from fractions import Fraction

import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.errors import RowError
from pipelines.media.spans import find_spans
from pipelines.media.video.opening import open_video
from pipelines.media.video.reader import Video
from tests.pipelines.support.videos import BIKES, MEGAMIND, real_clip, shot, write_video

SMALL = ("clip.num_frames=8", "clip.height=64", "clip.width=128")
WHOLE = "clip.split_shots=false"


def clip_config(*assignments):
    return load_config(assignments=[*SMALL, *assignments]).clip


class Times:
    """The part of a video's interface that `find_spans` reads."""

    def __init__(self, count, fps):
        self.timestamps, self.fps = np.arange(count) / fps, fps

    def rate(self, first, until):
        return self.fps


@pytest.mark.parametrize(
    ("frames", "fps", "start", "settings", "expected"),
    [
        (32, 8, None, [], [(0, 8), (1, 8), (2, 8), (3, 8)]),
        (100, 8, None, [], [(k, 8) for k in range(12)]),
        (75, 25, None, [], [(0, 8), (1, 8), (2, 8)]),
        (75, 25, 0.5, [], [(0.5, 8)]),
        (100, 25, None, ["clip.stride=2"], [(k * 8 / 12.5, 12.5) for k in range(6)]),
        (20, 25, None, [], [(0, pytest.approx(7 / (19 / 25), abs=1e-5))]),
        (8, 25, None, [], [(0, 25)]),
        (40, 4, None, [], [(2 * k, 4) for k in range(5)]),
    ],
)
def test_spans_of_one_shot(frames, fps, start, settings, expected):
    spans = find_spans(Times(frames, fps), start, clip_config(WHOLE, *settings))
    assert [(span.start, span.fps) for span in spans] == expected


def test_a_video_shorter_than_a_clip_is_refused_with_its_length():
    with pytest.raises(RowError, match="7 frames from 0 s on, a clip needs 8"):
        next(find_spans(Times(7, 8), None, clip_config()))
    with pytest.raises(RowError, match="4 frames from 0.5 s on"):
        next(find_spans(Times(8, 8), 0.5, clip_config()))


def test_an_implausible_frame_rate_is_refused():
    with pytest.raises(RowError, match="1.29056e.06 frames a second are shown"):
        next(find_spans(Times(40, 1_290_557), None, clip_config(WHOLE, "clip.stride=1")))


def test_no_clip_of_a_real_video_crosses_a_cut():
    settings = ["clip.num_frames=16", "clip.max_clips_per_video=null"]
    with open_video(real_clip("bikes.mp4")) as video:
        found = [*find_spans(video, None, clip_config(*settings))]
    shots = [np.searchsorted(BIKES, span.frames, side="right") for span in found]
    assert [set(of_frames) for of_frames in shots] == [{0}, {1}, {2}, {3}, {4}]
    # 48 frames make a clip at 8 frames a second: the first two shots have 30 and 46.
    assert [span.fps for span in found] == [12.931034, 8.333333, 8, 8, 8]
    assert [len(np.unique(span.frames)) for span in found] == [16] * 5


def test_no_clip_of_opencvs_sample_crosses_a_cut():
    with open_video(real_clip("Megamind.avi")) as video:
        found = [*find_spans(video, None, clip_config("clip.num_frames=16"))]
    shots = [set(np.searchsorted(MEGAMIND, span.frames, side="right")) for span in found]
    # The black frame alone is too short, and the first shot after it is long enough for two.
    assert shots == [{1}, {1}, {2}, {3}, {4}]


# Whole shots and seconds


def found(path, *assignments, start=None):
    with open_video(str(path)) as video:
        return [*find_spans(video, start, clip_config(*assignments))]


def bounds(spans):
    """The first frame of each span and the frame after the last one, of spans without gaps."""
    for span in spans:
        assert (np.diff(span.frames) == 1).all()
    return [(int(span.frames[0]), int(span.frames[-1]) + 1) for span in spans]


@pytest.mark.parametrize(
    ("frames", "fps", "start", "settings", "expected"),
    [
        (100, 8, None, ["clip.span=shot"], [(0, 100)]),
        (100, 10, None, ["clip.span=shot", "clip.max_seconds=4"], [(0, 34), (34, 67), (67, 100)]),
        (80, 10, None, ["clip.span=shot", "clip.max_seconds=4"], [(0, 40), (40, 80)]),
        (9, 10, 0.5, ["clip.span=shot"], [(5, 9)]),
        (100, 10, 0.5, ["clip.span=shot", "clip.max_seconds=4"], [(5, 45)]),
        (100, 10, None, ["clip.span=4"], [(0, 40), (40, 80), (80, 100)]),
        (100, 10, None, ["clip.span=4", "clip.min_seconds=2.5"], [(0, 40), (40, 80)]),
        (100, 24000 / 1001, None, ["clip.span=2"], [(0, 48), (48, 96)]),
        (100, 10, 3.0, ["clip.span=4"], [(30, 70)]),
    ],
)
def test_spans_of_every_frame_of_one_shot(frames, fps, start, settings, expected):
    spans = [*find_spans(Times(frames, fps), start, clip_config(WHOLE, *settings))]
    assert bounds(spans) == expected
    assert [span.start for span in spans] == pytest.approx([first / fps for first, _ in expected])
    assert {(span.fps, span.timestamps) for span in spans} == {(round(fps, 6), None)}


@pytest.mark.parametrize(
    ("frames", "start", "settings", "message"),
    [
        (9, None, [], "the longest shot has 0.9 s, a clip needs 1 s .clip.min_seconds"),
        (1, None, [], "1 frames from 0 s on, a clip needs 2$"),
        (40, 4.0, [], "0 frames from 4 s on, a clip needs 2$"),
    ],
)
def test_a_shot_that_is_too_short_for_a_whole_clip_is_refused(frames, start, settings, message):
    with pytest.raises(RowError, match=message):
        next(find_spans(Times(frames, 10), start, clip_config(WHOLE, "clip.span=shot", *settings)))


@pytest.mark.parametrize("settings", [["clip.span=shot"], ["clip.span=shot", "clip.max_seconds=2"]])
def test_a_span_with_a_number_of_frames_is_taken_whole(settings):
    (span,) = find_spans(Times(100, 10), 3.04, clip_config(*settings), num_frames=50)
    assert bounds([span]) == [(30, 80)] and (span.start, span.timestamps) == (3.0, None)
    with pytest.raises(RowError, match="20 frames from 8 s on, the source gives 50"):
        next(find_spans(Times(100, 10), 8.0, clip_config(*settings), num_frames=50))


def two_shots_and_a_pause(tmp_path):
    """46 frames at 8 a second: a cut before frame 20, and a pause before frame 36."""
    frames = np.concatenate([shot(0, 20), shot(1, 26)])
    pts = [number + (24 if number >= 36 else 0) for number in range(46)]
    time_base = Fraction(1, 8)
    return write_video(tmp_path / "a.mkv", frames, fps=8, pts=pts, time_base=time_base)


def test_no_clip_of_every_frame_crosses_a_cut_or_a_pause(tmp_path):
    path = two_shots_and_a_pause(tmp_path)
    whole = found(path, "clip.span=shot")
    assert bounds(whole) == [(0, 20), (20, 36), (36, 46)]
    assert [span.start for span in whole] == [0, 20 / 8, 60 / 8]
    assert [span.fps for span in whole] == [8, 8, 8]
    assert bounds(found(path, "clip.span=1.5")) == [(0, 12), (12, 20), (20, 32), (36, 46)]
    assert bounds(found(path, "clip.span=2.5")) == [(0, 20), (20, 36), (36, 46)]
    for span, expected in (("shot", (10, 20)), ("0.5", (10, 14)), ("60", (10, 20))):
        settings = [f"clip.span={span}", "clip.min_seconds=0"]
        assert bounds(found(path, *settings, start=10 / 8)) == [expected]


def test_a_given_start_is_searched_for_cuts_from_there_on(tmp_path, monkeypatch):
    path = two_shots_and_a_pause(tmp_path)
    pictures, read = Video.pictures, []

    def noting(video, numbers):
        read.append(numbers[0])
        return pictures(video, numbers)

    monkeypatch.setattr(Video, "pictures", noting)
    assert bounds(found(path, "clip.span=shot", start=20 / 8)) == [(20, 36)]
    assert read == [20]
    with pytest.raises(RowError, match="the shot ends with the frame at 2.375 s"):
        found(path, "clip.span=shot", start=19 / 8)


def test_whole_shots_of_a_real_video_end_at_its_cuts():
    spans = found(real_clip("bikes.mp4"), "clip.span=shot")
    with open_video(real_clip("bikes.mp4")) as video:
        count, rate = len(video.timestamps), video.properties["source_rate"]
    # The last shot has eight frames, a third of a second.
    assert bounds(spans) == [*zip([0, *BIKES[:-1]], BIKES, strict=True)] and count == 250
    assert {span.fps for span in spans} == {round(rate, 6)}


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    steps = np.random.default_rng(3).integers(20, 160, 40)
    pts = np.cumsum(steps).tolist()
    path = write_video(tmp_path / "a.mkv", shot(0, 40), pts=pts, time_base=Fraction(1, 1000))
    (span,) = found(path, "clip.span=shot")
    assert span.timestamps == pytest.approx((np.array(pts) - pts[0]) / 1000)
    assert span.fps == pytest.approx(39 / span.timestamps[-1], abs=1e-6)
    (later,) = found(path, "clip.span=shot", start=span.timestamps[7])
    assert later.timestamps == pytest.approx(np.array(span.timestamps[7:]) - span.timestamps[7])


@pytest.mark.parametrize("rate", [Fraction(30), Fraction(24000, 1001), Fraction(60000, 1001)])
def test_times_that_are_rounded_to_milliseconds_are_evenly_spaced(tmp_path, rate):
    pts = [round(1000 * number / rate) for number in range(120)]
    time_base = Fraction(1, 1000)
    path = write_video(tmp_path / "a.mkv", shot(0, 120), fps=rate, pts=pts, time_base=time_base)
    (span,) = found(path, "clip.span=shot")
    assert span.timestamps is None and len(span.frames) == 120
    assert span.fps == pytest.approx(float(rate), rel=1e-3)
