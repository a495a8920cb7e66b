import json
from fractions import Fraction
from io import BytesIO

import av
import cv2
import fsspec
import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.media import masks
from pipelines.media.encode import decode_video
from pipelines.media.frames import fit, frame_indices
from pipelines.media.video.reader import Video
from pipelines.publishing.index import build_index
from pipelines.reliability.deadline import Deadline
from pipelines.schema import CLIPS, SOURCES, rows_table
from pipelines.stages.find_clips import LOOKED_AT, FindClips
from pipelines.storage import Storage
from pipelines.tables.clips import CommitClips, name_row, pending_sources
from pipelines.tables.sources import write_sources
from tests.pipelines.support.videos import (
    BLOCK,
    coded_frames,
    read_codes,
    shot,
    write_video,
)

SMALL = ("clip.num_frames=8", "clip.height=64", "clip.width=128")
WHOLE = "clip.split_shots=false"


def clip_config(*assignments):
    return load_config(assignments=[*SMALL, *assignments]).clip


def source(path, **columns):
    row = dict.fromkeys(SOURCES.names) | {"source_uri": path.name, "location": str(path)}
    return row | {"source_row": "r"} | columns


def test_the_frame_displayed_at_each_time_is_taken():
    steady = np.arange(50) / 25
    assert frame_indices(steady, 0.0, 8.0, 5).tolist() == [0, 3, 6, 9, 12]
    assert frame_indices(steady, 1.0, 25.0, 3).tolist() == [25, 26, 27]
    milliseconds = np.round(np.arange(60) / 30, 3)  # as WebM stores them
    assert frame_indices(milliseconds, 0.0, 30.0, 60).tolist() == list(range(60))
    uneven = np.array([0, 0.1, 0.9, 1.0])
    assert frame_indices(uneven, 0.0, 4.0, 4).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("how", ["crop", "pad"])
@pytest.mark.parametrize("shape", [(90, 160), (160, 90), (64, 64), (48, 60)])
def test_fit_keeps_proportions(how, shape):
    """A centred disc remains a centred disc."""
    disc = np.zeros(shape, np.uint8)
    cv2.circle(disc, (shape[1] // 2, shape[0] // 2), min(shape) // 3, 255, -1)
    (fitted,) = fit(np.repeat(disc[None, ..., None], 3, axis=-1), 64, 64, how)
    assert fitted.shape == (64, 64, 3)
    ys, xs = np.nonzero(fitted[..., 0] > 127)
    assert np.ptp(ys) == pytest.approx(np.ptp(xs), abs=2)
    assert ys.mean() == pytest.approx(31.5, abs=1.5)
    scale = 64 / (min(shape) if how == "crop" else max(shape))
    assert np.ptp(ys) == pytest.approx(scale * 2 * (min(shape) // 3), abs=4)
    (mask,) = fit(disc[None] > 0, 64, 64, how)
    assert mask.dtype == bool
    assert (mask == (fitted[..., 0] > 127)).mean() > 0.97


def test_clips_hold_the_frames_of_their_span(tmp_path):
    path = write_video(tmp_path / "a.mp4", coded_frames(40), fps=8)
    rows = FindClips(clip_config(), {}, Deadline(60))(source(path))
    assert [row["start_seconds"] for row in rows] == [0, 1, 2, 3]
    assert {row["clips_in_source"] for row in rows} == {4}
    assert len({row["clip_id"] for row in rows}) == 4
    for row in rows:
        frames = decode_video(row["source_video"])
        assert frames.shape == (row["num_frames"], row["height"], row["width"], 3)
        first = round(row["start_seconds"] * 8)
        assert read_codes(frames) == list(range(first, first + 8))


# Shots


def clips_of(path, *assignments, **columns):
    return FindClips(clip_config(*assignments), {}, Deadline(60))(source(path, **columns))


def coded_shots(*lengths):
    """Shots of up to 256 frames in total, in which each frame encodes its number."""
    frames = np.concatenate([shot(i, n, size=(64, 128)) for i, n in enumerate(lengths)])
    frames[:, :BLOCK] = coded_frames(len(frames))[:, :BLOCK]
    return frames


def codes(rows):
    return [read_codes(decode_video(row["source_video"])) for row in rows]


def spans(rows):
    return [(row["start_seconds"], row["fps"]) for row in rows]


def test_clips_start_at_the_start_of_each_shot(tmp_path):
    path = write_video(tmp_path / "a.mp4", coded_shots(20, 7, 8, 30), fps=8)
    rows = clips_of(path, "clip.max_clips_per_video=null")
    assert {row["status"] for row in rows} == {"ok"}
    expected = [0, 8, 27, 35, 43, 51]
    assert codes(rows) == [[*range(first, first + 8)] for first in expected]
    assert spans(rows) == [(first / 8, 8) for first in expected]
    assert spans(clips_of(path, "clip.max_clips_per_video=3")) == spans(rows)[:3]


def test_a_short_shot_is_sampled_at_a_higher_rate(tmp_path):
    path = write_video(tmp_path / "a.mp4", coded_shots(40, 15, 30), fps=25)
    (first, short, last) = clips_of(path)
    assert spans([first, last]) == [(0, 8), (55 / 25, 8)]
    assert spans([short]) == [(40 / 25, pytest.approx(7 / (14 / 25), abs=1e-5))]
    assert codes([first, short, last]) == [
        [0, 3, 6, 9, 12, 15, 18, 21],
        [40, 42, 44, 46, 48, 50, 52, 54],
        [55, 58, 61, 64, 67, 70, 73, 76],
    ]


def test_cut_detection_can_be_disabled(tmp_path):
    path = write_video(tmp_path / "a.mp4", coded_shots(12, 12), fps=8)
    assert spans(clips_of(path, WHOLE)) == [(0, 8), (1, 8), (2, 8)]
    assert spans(clips_of(path)) == [(0, 8), (1.5, 8)]


def test_a_given_start_gives_one_clip_regardless_of_content(tmp_path):
    frames = coded_shots(12, 12)
    frames[14:, BLOCK:] = 0
    path = write_video(tmp_path / "a.mp4", frames, fps=8)
    for start in (1.0, 2.0):
        (row,) = clips_of(path, "clip.skip_static=255", start_seconds=start)
        assert codes([row]) == [[*range(int(8 * start), int(8 * start) + 8)]]


def test_no_clip_of_a_variable_rate_video_crosses_a_cut(tmp_path):
    lengths, random = (23, 40, 31), np.random.default_rng(3)
    pts = np.cumsum(random.integers(20, 160, sum(lengths))).tolist()
    time_base = Fraction(1, 1000)
    path = write_video(tmp_path / "a.mkv", coded_shots(*lengths), pts=pts, time_base=time_base)
    rows = clips_of(path, "clip.max_clips_per_video=null")
    assert len(rows) > 5
    shots = np.searchsorted(np.cumsum(lengths), codes(rows), side="right")
    assert (shots == shots[:, :1]).all() and set(shots[:, 0]) == {0, 1, 2}
    times = np.array(pts) - pts[0]
    for row, numbers in zip(rows, codes(rows), strict=True):
        shown = 1000 * (row["start_seconds"] + np.arange(8) / row["fps"])
        assert numbers == [int(np.flatnonzero(times <= t + 1)[-1]) for t in shown]


def test_a_remote_video_gives_the_same_clips(tmp_path):
    path = write_video(tmp_path / "a.mp4", coded_shots(40, 15, 30), fps=25)
    fsspec.filesystem("memory").pipe("/shots/a.mp4", path.read_bytes())
    local, remote = clips_of(path), clips_of(path, location="memory://shots/a.mp4")
    assert remote[0]["source_decoder"] == "pyav"
    assert codes(remote) == codes(local) and spans(remote) == spans(local)


def test_if_all_shots_are_too_short_the_error_reports_the_longest(tmp_path):
    path = write_video(tmp_path / "a.mp4", coded_shots(5, 7, 6), fps=8)
    (row,) = clips_of(path)
    assert (row["level"], row["status"], row["error_type"]) == ("source", "failed", "TooShort")
    assert row["error_message"].startswith("the longest shot has 7 frames, a clip needs 8")


def test_a_long_video_is_not_decoded_to_its_end(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", coded_shots(250), fps=25)
    pictures, numbers = Video.pictures, set()

    def noting(video, indices):
        for number, picture in zip(indices, pictures(video, indices), strict=True):
            numbers.add(int(number))
            yield picture

    monkeypatch.setattr(Video, "pictures", noting)
    assert len(clips_of(path, "clip.max_clips_per_video=2")) == 2
    assert 46 < max(numbers) < 60
    numbers.clear()
    assert len(clips_of(path, WHOLE, "clip.max_clips_per_video=2")) == 2
    assert max(numbers) == 46


# Skipping


def black_still_and_again():
    """40 frames: a shot, black, a still picture, the first shot again, and another shot."""
    one, black, still, other = shot(0, 8), np.zeros((8, 72, 128, 3), np.uint8), shot(1, 8, 0), 2
    return np.concatenate([one, black, still, one, shot(other, 8)])


def test_clips_not_worth_an_edit_are_rejected_with_their_reason(tmp_path):
    path = write_video(tmp_path / "a.mp4", black_still_and_again(), fps=8)
    rows = clips_of(path, "clip.skip_static=12", "clip.max_clips_per_video=null")
    assert [row["error_type"] for row in rows] == [None, "Black", "Static", "Duplicate", None]
    assert spans(rows) == [(i, 8) for i in range(5)]
    assert {row["clips_in_source"] for row in rows} == {5}
    messages = [row["error_message"] for row in rows if row["status"] == "rejected"]
    assert messages == [
        "1 s to 2 s is black (clip.skip_black, 24)",
        "2 s to 3 s does not change (clip.skip_static, 12)",
        "3 s to 4 s shows what 0 s to 1 s showed (clip.skip_duplicates, 12)",
    ]
    for row in rows:
        rejected = row["error_type"] is not None
        assert (row["level"], row["error_stage"]) == ("clip", "decode" if rejected else None)
        assert (row["source_video"] is None) == rejected
        assert row["clip_id"] and row["num_frames"] == 8 and row["source_decoder"]


def test_each_reason_can_be_disabled(tmp_path):
    path = write_video(tmp_path / "a.mp4", black_still_and_again(), fps=8)
    by_default = clips_of(path, "clip.max_clips_per_video=null")
    types = [row["error_type"] for row in by_default]
    assert types == [None, "Black", None, "Duplicate", None]
    off = [f"clip.skip_{what}=null" for what in ("black", "static", "duplicates")]
    rows = clips_of(path, *off, "clip.max_clips_per_video=null")
    assert [row["status"] for row in rows] == ["ok"] * 5
    assert [row["clip_id"] for row in rows] == [row["clip_id"] for row in by_default]


def test_skipped_clips_do_not_count_but_their_number_is_bounded(tmp_path):
    path = write_video(tmp_path / "a.mp4", black_still_and_again(), fps=8)
    rows = clips_of(path, "clip.max_clips_per_video=2")
    assert [row["error_type"] for row in rows] == [None, "Black", None]
    still = write_video(tmp_path / "still.mp4", np.repeat(shot(0, 1), 200, axis=0), fps=8)
    rows = clips_of(still, "clip.max_clips_per_video=2")
    assert [row["error_type"] for row in rows] == [None] + ["Duplicate"] * (2 * LOOKED_AT - 1)


def test_a_repeated_loop_is_a_duplicate_at_any_offset(tmp_path):
    loop = np.concatenate([shot(0, 12)] * 3)
    path = write_video(tmp_path / "a.mp4", loop, fps=8)
    rows = clips_of(path, WHOLE, "clip.max_clips_per_video=null")
    # The clips hold frames 0 to 7, then 8 to 11 and 0 to 3. All later frames are repeats.
    assert [row["error_type"] for row in rows] == [None, None, None, "Duplicate"]


def test_rejected_clips_go_through_annotation_and_into_the_dataset(tmp_path):
    path = write_video(tmp_path / "a.mp4", black_still_and_again(), fps=8)
    rows = [name_row(row) for row in clips_of(path, "clip.max_clips_per_video=null")]
    output = Storage(str(tmp_path / "out"))
    write_sources(output, rows_table([source(path)], SOURCES))
    (counts,) = CommitClips(output, "clips", CLIPS, ["decode"])(rows_table(rows, CLIPS)).to_pylist()
    assert [counts[name] for name in ("clips", "ok", "rejected", "failed")] == [5, 3, 2, 0]
    assert counts["failures"] == []
    assert len(pending_sources(rows_table([source(path)], SOURCES), output, "clips")) == 0
    items = build_index(output, load_config()).clips
    assert sorted(items["clip_row"].to_pylist()) == sorted({row["row_id"] for row in rows})


@pytest.mark.parametrize("kind", ["png", "json", "uncompressed", "video"])
def test_a_mask_follows_the_frame_numbers_of_the_whole_video(tmp_path, kind):
    frames = coded_frames(24)
    path = write_video(tmp_path / "a.mp4", frames, fps=8)
    mask = np.zeros((24, *frames.shape[1:3]), bool)
    for i in range(24):
        mask[i, 8:40, i : i + 16] = True
    location = tmp_path / "the mask"
    if kind == "png":
        location.mkdir()
        for i, frame in enumerate(mask):
            cv2.imwrite(str(location / f"{i:05d}.png"), frame * np.uint8(255))
    elif kind == "video":
        location = location.with_suffix(".mp4")
        write_video(location, np.repeat(mask[..., None], 3, axis=-1) * np.uint8(255), fps=8)
    else:
        location = location.with_suffix(".json")
        rles = masks.encode(mask)
        if kind == "uncompressed":
            rles = [
                {"size": r["size"], "counts": run_lengths(m)}
                for r, m in zip(rles, mask, strict=True)
            ]
        location.write_text(json.dumps(rles))
    row = source(path, start_seconds=1.0, mask_location=str(location))
    (clip,) = FindClips(clip_config(), {}, Deadline(60))(row)
    expected = fit(mask[8:16], 64, 128, "crop")
    assert clip["mask_source"] == "manifest"
    agreement = (masks.decode(clip["mask"]) == expected).mean()
    assert agreement > 0.99 if kind == "video" else agreement == 1


def test_each_edit_of_the_manifest_has_its_own_mask(tmp_path):
    """Both are labels of one picture file, the third edit has none."""
    path = tmp_path / "v.mp4"
    write_video(path, shot(0, 8, size=(64, 128)), fps=8)
    labels = np.zeros((64, 128), np.uint8)
    labels[8:40, :40], labels[8:40, 80:] = 1, 2
    folder = tmp_path / "labels"
    folder.mkdir()
    for number in range(8):
        cv2.imwrite(str(folder / f"{number}.png"), labels)
    edits = [
        {"subject": words, "mask_location": str(folder), "mask_label": number}
        for number, words in enumerate(("dog", "cat"), start=1)
    ]
    edits.append({"subject": "car", "mask_location": None, "mask_label": None})
    (clip,) = FindClips(clip_config(WHOLE), {}, Deadline(60.0))(source(path, edits=edits))
    assert (clip["mask"], clip["subject"], clip["given_edits"]) == (None, "dog", edits)
    dog, cat, car = clip["objects"]
    assert [each["words"] for each in clip["objects"]] == ["dog", "cat", "car"]
    assert (masks.decode(dog["mask"]) == (labels == 1)).all()
    assert (masks.decode(cat["mask"]) == (labels == 2)).all()
    assert car["mask"] is None


def run_lengths(mask):
    """COCO's uncompressed counts: runs of zeros and ones, column by column, zeros first."""
    counts, value = [0], 0
    for pixel in mask.T.flatten().astype(int):
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


@pytest.mark.parametrize(
    ("columns", "kind", "message"),
    [
        ({"problem": "uri is missing"}, "BadManifestRow", "uri is missing"),
        ({"start_seconds": 99.0}, "TooShort", "0 frames from 99 s on"),
        ({"mask_location": "{folder}/none.mp4"}, "BadMask", "none.mp4"),
        ({"mask_location": "{folder}/few.json"}, "BadMask", "has 1 frames, the video 16"),
        ({"mask_location": "{folder}/bad.json"}, "BadMask", "bad.json"),
    ],
)
def test_a_source_without_clips_is_one_failed_row(tmp_path, columns, kind, message):
    path = write_video(tmp_path / "a.mp4", coded_frames(16), fps=8)
    (tmp_path / "few.json").write_text(json.dumps(masks.encode(np.ones((1, 64, 64), bool))))
    (tmp_path / "bad.json").write_text("{oops")
    columns = {
        k: v.format(folder=tmp_path) if isinstance(v, str) else v for k, v in columns.items()
    }
    (row,) = FindClips(clip_config(), {}, Deadline(60))(source(path, **columns))
    assert (row["level"], row["status"], row["error_stage"]) == ("source", "failed", "decode")
    assert row["error_type"] == kind
    assert message in row["error_message"]
    assert row["clips_in_source"] == 1
    assert row["row_id"]


# Every frame


def stored_times(data):
    """The display times of the frames of an MP4, in seconds, and its frame rate."""
    with av.open(BytesIO(data)) as container:
        stream = container.streams.video[0]
        times = [float(frame.pts * stream.time_base) for frame in container.decode(video=0)]
        return times, stream.average_rate


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(10)])
def test_whole_shots_keep_frames_and_rate_of_the_source(tmp_path, rate):
    path = write_video(tmp_path / "a.mp4", coded_shots(32, 32, 9), fps=rate)
    rows = clips_of(path, "clip.span=shot", "clip.min_seconds=0.95")
    assert codes(rows) == [[*range(32)], [*range(32, 64)]]
    assert [row["num_frames"] for row in rows] == [32, 32]
    for row in rows:
        assert (row["fps"], row["timestamps"]) == (round(float(rate), 6), None)
        times, stored = stored_times(row["source_video"])
        assert stored == rate
        assert times == pytest.approx([number / rate for number in range(row["num_frames"])])
    assert rows[1]["start_seconds"] == pytest.approx(32 / rate)


def test_a_clip_of_a_variable_rate_keeps_its_times_in_column_and_file(tmp_path):
    pts = np.cumsum(np.random.default_rng(3).integers(20, 160, 40)).tolist()
    frames, time_base = coded_frames(40), Fraction(1, 1000)
    path = write_video(tmp_path / "a.mkv", frames, pts=pts, time_base=time_base)
    (row,) = clips_of(path, "clip.span=shot")
    times = [(each - pts[0]) / 1000 for each in pts]
    assert row["timestamps"] == pytest.approx(times) and codes([row]) == [[*range(40)]]
    assert stored_times(row["source_video"])[0] == pytest.approx(times, abs=1e-4)
    (table,) = rows_table([name_row(row)], CLIPS).to_pylist()
    assert table["timestamps"] == row["timestamps"]


def test_ids_of_windows_are_pinned(tmp_path):
    """Existing outputs go on with their clips and edits."""
    path = write_video(tmp_path / "a.mp4", coded_frames(20), fps=8)
    assert [row["clip_id"] for row in clips_of(path, source_id="x")] == [
        "058916db67187d563a51902a2856f1a1",
        "83dfb5ba45776aad9286935a67d7f063",
    ]


def test_ids_of_whole_clips_follow_from_start_and_length(tmp_path):
    path = write_video(tmp_path / "a.mp4", coded_frames(64), fps=8)

    def clip_ids(*assignments):
        return [row["clip_id"] for row in clips_of(path, *assignments)]

    (whole,) = clip_ids("clip.span=shot")
    assert clip_ids("clip.span=shot", "clip.max_seconds=30", "clip.num_frames=16") == [whole]
    first, second = clip_ids("clip.span=shot", "clip.max_seconds=4")
    assert len({whole, first, second}) == 3
    assert clip_ids("clip.span=4") == [first, second]
    # A window is sampled by time, and a source of a variable rate may repeat a frame.
    assert clip_ids("clip.num_frames=32", "clip.max_clips_per_video=1") != [first]


def test_a_mask_follows_every_frame(tmp_path):
    path = write_video(tmp_path / "a.mp4", coded_frames(24), fps=8)
    mask = np.zeros((24, 64, 128), bool)
    for number, frame in enumerate(mask):
        frame[8:40, number : number + 16] = True
    location = tmp_path / "mask.json"
    location.write_text(json.dumps(masks.encode(mask)))
    (row,) = clips_of(path, "clip.span=shot", mask_location=str(location), start_seconds=0.5)
    assert (masks.decode(row["mask"]) == mask[4:]).all()
