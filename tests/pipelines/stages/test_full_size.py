from fractions import Fraction

import av
import numpy as np
import pytest

from pipelines.config.loading import load_config
from pipelines.media.encode import decode_video
from pipelines.reliability.deadline import Deadline
from pipelines.schema import CLIPS, SOURCES, rows_table
from pipelines.stages.find_clips import FindClips
from pipelines.stages.full_size import StoreFullSize
from pipelines.storage import Storage
from pipelines.tables.clips import CommitClips, name_row
from pipelines.tables.full_size import full_bytes, pending_full, read_full
from tests.pipelines.support.videos import coded_frames, read_codes, write_video

SMALL = ("clip.num_frames=8", "clip.height=32", "clip.width=64")


def store(folder, path, *assignments):
    """Annotate a video and store its clips at the source's size: output, sources and clips."""
    config = load_config(assignments=[*SMALL, *assignments])
    source = dict.fromkeys(SOURCES.names) | {"source_uri": path.name, "location": str(path)}
    source |= {"source_row": "r", "source_version": "1"}
    sources, output = rows_table([source], SOURCES), Storage(str(folder / "out"))
    rows = [name_row(row) for row in FindClips(config.clip, {}, Deadline(60))(source)]
    CommitClips(output, "clips", CLIPS, ["decode"])(rows_table(rows, CLIPS))
    stage = StoreFullSize(config.clip, output, {}, Deadline(60))
    counts = [stage(item) for item in pending_full(output, sources).to_pylist()]
    return output, sources, rows, counts


@pytest.mark.parametrize("settings", [["clip.span=window", "clip.fps=5"], ["clip.span=1"]])
@pytest.mark.parametrize(("height", "width"), [(64, 128), (65, 131)])
def test_a_clip_is_stored_with_the_frames_of_its_row_unresized(tmp_path, settings, height, width):
    frames = np.pad(coded_frames(40), ((0, 0), (0, height - 64), (0, width - 128), (0, 0)))
    path = write_video(tmp_path / "a.mkv", frames, fps=10, pixel_format="yuv444p")
    output, sources, rows, counts = store(tmp_path, path, *settings, "clip.split_shots=false")
    assert len(rows) > 1 and [count["ok"] for count in counts] == [1] * len(rows)
    for row in rows:
        full = decode_video(read_full(output, row["clip_id"], "1"))
        assert full.shape == (row["num_frames"], height, width, 3)
        # The model's size is too small for the codes: frames are those that are shown at the time.
        shown = row["start_seconds"] + np.arange(row["num_frames"]) / row["fps"]
        assert read_codes(full) == [int(at * 10 + 1e-6) for at in shown]
    assert len(pending_full(output, sources)) == 0
    table = rows_table([row | {"source_version": "1"} for row in rows], CLIPS)
    assert min(full_bytes(output, table)) > 1000
    changed = rows_table([row | {"source_version": "2"} for row in rows], CLIPS)
    assert full_bytes(output, changed) == [None] * len(rows)


def test_times_of_a_variable_rate_are_stored(tmp_path):
    pts = np.cumsum(np.random.default_rng(3).integers(20, 160, 30)).tolist()
    path = write_video(tmp_path / "a.mkv", coded_frames(30), pts=pts, time_base=Fraction(1, 1000))
    output, _, (row,), _ = store(tmp_path, path, "clip.span=shot")
    (tmp_path / "full.mp4").write_bytes(read_full(output, row["clip_id"], "1"))
    with av.open(str(tmp_path / "full.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx(row["timestamps"], abs=1e-4)


def test_a_source_that_is_gone_fails_its_clips(tmp_path):
    path = write_video(tmp_path / "a.mp4", coded_frames(16), fps=8)
    config = load_config(assignments=SMALL)
    stage = StoreFullSize(config.clip, Storage(str(tmp_path / "out")), {}, Deadline(60))
    item = {"clip_id": "c", "full": "x", "location": str(path.with_name("none.mp4"))}
    (failed,) = stage(item | {"start_seconds": 0.0, "fps": 8.0, "num_frames": 8})["failures"]
    assert (failed["error_stage"], failed["error_type"]) == ("full_size", "FileMissing")
