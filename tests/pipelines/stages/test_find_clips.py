import json

import cv2
import numpy as np
import pytest

from pipelines import masks
from pipelines.config import load_config
from pipelines.errors import RowError
from pipelines.schema import SOURCES
from pipelines.stages.find_clips import FindClips, find_spans, fit, frame_indices
from pipelines.video import decode_video
from pipelines.watch import Watch
from tests.pipelines.videos import coded_frames, read_codes, write_video

SMALL = ("clip.num_frames=8", "clip.height=64", "clip.width=128")


def clip_config(*assignments):
    return load_config(assignments=[*SMALL, *assignments]).clip


def source(path, **columns):
    row = dict.fromkeys(SOURCES.names) | {"source_uri": path.name, "location": str(path)}
    return row | {"source_row": "r"} | columns


class Times:
    """As much of a video as `find_spans` looks at."""

    def __init__(self, count, fps):
        self.timestamps, self.fps = np.arange(count) / fps, fps


@pytest.mark.parametrize(
    ("frames", "fps", "start", "settings", "expected"),
    [
        (32, 8, None, [], [(0, 8), (1, 8), (2, 8), (3, 8)]),
        (100, 8, None, [], [(0, 8), (1, 8), (2, 8), (3, 8)]),
        (100, 8, None, ["clip.max_clips_per_video=null"], [(k, 8) for k in range(12)]),
        (75, 25, None, [], [(0, 8), (1, 8), (2, 8)]),
        (75, 25, 0.5, [], [(0.5, 8)]),
        (100, 25, None, ["clip.stride=2"], [(k * 8 / 12.5, 12.5) for k in range(4)]),
        (20, 25, None, [], [(0, pytest.approx(7 / (19 / 25), abs=1e-5))]),
        (8, 25, None, [], [(0, 25)]),
        (40, 4, None, [], [(0, 4), (2, 4), (4, 4), (6, 4)]),
    ],
)
def test_spans(frames, fps, start, settings, expected):
    assert find_spans(Times(frames, fps), start, clip_config(*settings)) == expected


def test_a_video_shorter_than_a_clip_says_how_short():
    with pytest.raises(RowError, match="7 frames from 0 s on, a clip needs 8"):
        find_spans(Times(7, 8), None, clip_config())
    with pytest.raises(RowError, match="4 frames from 0.5 s on"):
        find_spans(Times(8, 8), 0.5, clip_config())


def test_a_damaged_rate_is_no_rate():
    with pytest.raises(RowError, match="1.29056e.06 frames a second are shown"):
        find_spans(Times(40, 1_290_557), None, clip_config("clip.stride=1"))


def test_the_frame_on_the_screen_is_taken():
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
    """A centred disc stays a centred disc."""
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
    rows = FindClips(clip_config(), {}, Watch(60))(source(path))
    assert [row["start_seconds"] for row in rows] == [0, 1, 2, 3]
    assert {row["clips_in_source"] for row in rows} == {4}
    assert len({row["clip_id"] for row in rows}) == 4
    for row in rows:
        frames = decode_video(row["source_video"])
        assert frames.shape == (row["num_frames"], row["height"], row["width"], 3)
        first = round(row["start_seconds"] * 8)
        assert read_codes(frames) == list(range(first, first + 8))


@pytest.mark.parametrize("kind", ["png", "json", "uncompressed", "video"])
def test_a_mask_goes_with_the_frames_of_the_whole_video(tmp_path, kind):
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
    (clip,) = FindClips(clip_config(), {}, Watch(60))(row)
    expected = fit(mask[8:16], 64, 128, "crop")
    assert clip["mask_source"] == "manifest"
    agreement = (masks.decode(clip["mask"]) == expected).mean()
    assert agreement > 0.99 if kind == "video" else agreement == 1


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
        ({"mask_location": "{folder}/few.json"}, "BadMask", "has 1 frames, frame 7"),
        ({"mask_location": "{folder}/bad.json"}, "BadMask", "bad.json"),
    ],
)
def test_a_source_that_gives_no_clip_is_one_failed_row(tmp_path, columns, kind, message):
    path = write_video(tmp_path / "a.mp4", coded_frames(16), fps=8)
    (tmp_path / "few.json").write_text(json.dumps(masks.encode(np.ones((1, 64, 64), bool))))
    (tmp_path / "bad.json").write_text("{oops")
    columns = {
        k: v.format(folder=tmp_path) if isinstance(v, str) else v for k, v in columns.items()
    }
    (row,) = FindClips(clip_config(), {}, Watch(60))(source(path, label=7, **columns))
    assert (row["level"], row["status"], row["error_stage"]) == ("source", "failed", "decode")
    assert row["error_type"] == kind
    assert message in row["error_message"]
    assert row["label"] == 7
    assert row["clips_in_source"] == 1
    assert row["row_id"]
