"""Whole shots of videos of every kind, edited at the model's size and published at the source's."""

import json
from fractions import Fraction
from io import BytesIO

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from pipelines.cluster import cluster
from pipelines.config.loading import load_config
from pipelines.errors import RunError
from pipelines.media import masks
from pipelines.media.encode import decode_video, encode_frames
from pipelines.media.video.opening import open_video
from pipelines.publishing.index import build_index
from pipelines.rows import failure
from pipelines.runs.failures import failures, forget
from pipelines.runs.open_run import open_run, reopen_run
from pipelines.storage import Storage
from pipelines.tables.full_size import FULL_FOLDER, commit_full
from tests.pipelines.support.videos import BIKES, real_clip, shot, write_video

SETTINGS = ["clip.num_frames=8", "clip.height=64", "clip.width=96", "clip.span=shot"]
SETTINGS += ["annotate.captioner=template", "annotate.mask_check.required=false"]
SETTINGS += ["annotate.tracker=none", "measure.metrics=[]", "publish.limits=null"]
SETTINGS += ["editor=tests.pipelines.fakes.editors:Invert"]
AT_SOURCE = ["publish.size=source", "execution.report_rows=2"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]


def cut_short(name, path, frames):
    """Write the first frames of a real video, without encoding them again."""
    with av.open(real_clip(name)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for number, packet in enumerate(source.demux(stream)):
            if number == frames:
                break
            packet.stream = copy
            target.mux(packet)


@pytest.fixture(scope="module")
def input(tmp_path_factory):
    """Five videos of which four have masks, and their manifest."""
    folder = tmp_path_factory.mktemp("kinds")
    cut_short("bikes.mp4", folder / "bikes.mp4", 76)
    cut_short("vtest.avi", folder / "vtest.avi", 15)
    film = np.concatenate([shot(0, 26, size=(135, 240)), shot(1, 30, size=(135, 240))])
    write_video(folder / "film.mp4", film[:, :134], fps=Fraction(24000, 1001), options={"crf": "8"})
    uneven = np.cumsum(np.random.default_rng(1).integers(20, 160, 24)).tolist()
    tall = shot(2, 24, size=(121, 91))
    write_video(
        folder / "uneven.mkv", tall, pts=uneven, time_base=Fraction(1, 1000),
        pixel_format="yuv444p",
    )  # fmt: skip
    write_video(folder / "turned.mp4", shot(3, 26, size=(90, 160)), fps=25, rotation=90)
    rows = []
    for path in sorted(folder.iterdir()):
        with open_video(str(path)) as video:
            mask = np.zeros((len(video.timestamps), video.height, video.width), bool)
        height, width = mask.shape[1:]
        mask[:, height // 3 : height // 2, width // 3 : width // 2] = True
        np.save(folder / f"{path.stem}.npy", mask)
        row = {"uri": path.name, "caption": "a cat", "targets": ["a dog"]}
        rows.append(row | ({} if path.stem == "turned" else {"mask_uri": f"{path.stem}.npy"}))
    (folder / "manifest.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def run(input, output, *assignments):
    config = load_config(assignments=[*SETTINGS, *assignments])
    with (
        open_run(str(output), config, str(input / "manifest.jsonl")) as opened,
        cluster(config.execution),
    ):
        opened.all_phases()
    return opened.record


def publish(output, *assignments):
    with (
        reopen_run(str(output), assignments) as opened,
        cluster(opened.config.execution),
    ):
        opened.run_phases(["publish"])


def rows_of(output):
    return pd.read_parquet(output / "dataset").sort_values(["source_uri", "start_seconds"])


@pytest.fixture(scope="module")
def published(input, tmp_path_factory):
    """A run at the model's size that is continued at the source's: rows and records of both."""
    output = tmp_path_factory.mktemp("runs") / "out"
    small = run(input, output)
    before = rows_of(output)
    with pytest.raises(RunError, match="7 clips are not stored at the source's size; the run's"):
        publish(output, *AT_SOURCE)
    large = run(input, output, *AT_SOURCE)
    return output, before, rows_of(output), small, large


def timing(data):
    with av.open(BytesIO(data)) as container:
        stream = container.streams.video[0]
        times = [float(frame.pts * stream.time_base) for frame in container.decode(video=0)]
        return np.array(times), stream.average_rate


def test_both_videos_of_a_row_have_size_rate_count_and_times_of_the_source(input, published):
    _, _, rows, *_ = published
    counts = rows.groupby("source_uri").num_frames.apply(list).to_dict()
    assert counts == {
        "bikes.mp4": [30, 46], "film.mp4": [26, 30], "turned.mp4": [26], "uneven.mkv": [24],
        "vtest.avi": [15],
    }  # fmt: skip
    for _, row in rows.iterrows():
        assert row.status == "ok", row.error_message
        with open_video(str(input / row.source_uri)) as video:
            first = int(np.searchsorted(video.timestamps, row.start_seconds - 1e-3))
            times = video.timestamps[first : first + row.num_frames]
            pictures = video.frames(range(first, first + row.num_frames))
            stated = video.properties["source_rate"]
        assert (row.height, row.width) == pictures.shape[1:3]
        source, edited = decode_video(row.source_video), decode_video(row.edited_video)
        assert source.shape == edited.shape == pictures.shape
        assert np.abs(source.astype(int) - pictures).mean() < 3
        uneven = row.source_uri == "uneven.mkv"
        for data in (row.source_video, row.edited_video):
            found, rate = timing(data)
            np.testing.assert_allclose(found, times - times[0], atol=1e-4)
            assert uneven or float(rate) == pytest.approx(stated, rel=1e-9)
        assert (row.timestamps is not None) == uneven


def test_no_clip_crosses_a_cut(input, published):
    rows = published[2].set_index("source_uri")
    starts = rows.loc["bikes.mp4"].start_seconds.to_list()
    with open_video(str(input / "bikes.mp4")) as video:
        assert starts == pytest.approx([0, video.timestamps[BIKES[0]]])
    assert rows.loc["film.mp4"].start_seconds.to_list() == pytest.approx([0, 26 * 1001 / 24000])


def test_outside_its_mask_an_edit_shows_the_source(published):
    _, before, rows, *_ = published
    for (_, small), (_, row) in zip(before.iterrows(), rows.iterrows(), strict=True):
        source, edited = (
            decode_video(data).astype(int) for data in (row.source_video, row.edited_video)
        )
        again = decode_video(encode_frames(source.astype(np.uint8), row.fps))
        codec = 2 * np.abs(again - source).mean()  # both videos are encodings of the source
        assert row.composited == ("frame" if row.source_uri == "turned.mp4" else "mask")
        if row.composited == "frame":
            # Inverted, but for what the crop cut off: 60 of 160 rows are left.
            assert np.abs(255 - source - edited)[:, 60:100].mean() < 5
            assert np.abs(source - edited)[:, [*range(45), *range(115, 160)]].mean() < codec
            continue
        mask = masks.decode(row["mask"])
        assert mask.shape == source.shape[:3] and mask.any()
        assert masks.decode(small["mask"]).shape == (row.num_frames, 64, 96)
        # The editor may change 15 pixels around the mask at the model's size; another one is coded
        # together with these.
        scale = max(64 / row.height, 96 / row.width)
        reach = 2 * round(24 / scale) + 1
        near = np.stack([cv2.dilate(m.astype(np.uint8), np.ones((reach, reach))) for m in mask]) > 0
        difference = np.abs(source - edited)
        assert difference[~near].mean() < codec and (~near).mean() > 0.2
        inner = np.stack([cv2.erode(m.astype(np.uint8), np.ones((9, 9))) for m in mask]) > 0
        assert np.abs(255 - source - edited)[inner].mean() < 24  # but for details


def test_another_size_makes_no_edit_and_no_id_again(published):
    _, before, rows, small, large = published
    assert (small.phases["edit"]["new"], large.phases["edit"]["new"]) == (7, 0)
    assert before.row_id.to_list() == rows.row_id.to_list()
    assert before.clip_id.to_list() == rows.clip_id.to_list()
    assert {*before.height} == {64} and before.composited.isna().all()


def test_files_are_divided_by_about_the_size_of_their_rows(published):
    output, *_ = published
    config = load_config(assignments=[*SETTINGS, *AT_SOURCE])
    expected = sum(build_index(Storage(str(output)), config).clips["bytes"].to_pylist())
    written = sum(path.stat().st_size for path in (output / "dataset").rglob("*.parquet"))
    assert 0.5 < written / expected < 1.5


def test_the_report_has_the_videos_of_the_source_s_size(published):
    output, _, rows, *_ = published
    for kind in ("source", "edit"):
        videos = [*(output / "report" / "clips").glob(f"*-{kind}.mp4")]
        assert len(videos) == 2
        for path in videos:
            row = rows.set_index("row_id").loc[path.name.removesuffix(f"-{kind}.mp4")]
            assert decode_video(path.read_bytes()).shape[1:3] == (row.height, row.width)
    assert "that of the source" in (output / "README.md").read_text()


def test_a_clip_that_cannot_be_stored_fails_its_rows_until_it_is_repeated(input, published):
    output, _, rows, *_ = published
    row = rows.iloc[0]
    storage = Storage(str(output))
    name, *_ = (
        file
        for file in storage.files(FULL_FOLDER)
        if storage.read_table(file, ["clip_id"])["clip_id"].to_pylist() == [row.clip_id]
    )
    broken = {"clip_id": row.clip_id, **failure("full_size", OSError("no such disk"))}
    commit_full(storage, name.split("/")[-1].removesuffix(".parquet"), broken)
    publish(output)
    found = rows_of(output).set_index("row_id")
    assert found.status.value_counts().to_dict() == {"ok": 6, "failed": 1}
    failed = found.loc[row.row_id]
    assert (failed.error_stage, failed.error_type) == ("composite", "OSError")
    assert "no such disk" in failed.error_message and failed.height == 64
    assert decode_video(failed.source_video).shape == decode_video(failed.edited_video).shape

    config = load_config(assignments=[*SETTINGS, *AT_SOURCE])
    told = failures(storage, config)
    assert [(each["clip_id"], each["error_stage"]) for each in told] == [(row.clip_id, "full_size")]
    forget(storage, config, told)
    run(input, output, *AT_SOURCE)
    columns = ["row_id", "status", "source_video", "edited_video", "height"]
    assert rows_of(output)[columns].equals(rows[columns])
