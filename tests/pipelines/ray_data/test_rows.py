"""The three functions of a batch, without Ray."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.config.loading import load_config
from pipelines.editors.base import editor_revision
from pipelines.errors import ConfigError
from pipelines.media.encode import decode_video
from pipelines.plugins import find_editor
from pipelines.ray_data import edit
from pipelines.ray_data.annotate import AnnotateRows
from pipelines.ray_data.columns import ANNOTATED
from pipelines.ray_data.edit import EditRows
from pipelines.ray_data.measure import MeasureRows
from pipelines.schema import DATASET
from pipelines.storage import Storage
from tests.pipelines.support.videos import coded_frames, write_video

METRIC = "tests.pipelines.fakes.metrics:Difference"
COLUMN = "metric_tests_pipelines_fakes_metrics_Difference"
SETTINGS = [
    *("clip.num_frames=4", "clip.height=64", "clip.width=128", "annotate.tracker=none"),
    *(f"measure.metrics=['{METRIC}']", "editor=tests.pipelines.fakes.editors:Poisoned"),
    "clip.max_clips_per_video=2",
]


def configured(*assignments):
    return load_config(assignments=[*SETTINGS, "publish.limits=null", *assignments])


def annotated(folder, *rows, **settings):
    return AnnotateRows(configured(), Storage(str(folder)))(pa.Table.from_pylist(list(rows)))


def edited(table, cache=None):
    config = configured()
    editor = find_editor(config)
    return EditRows(config, editor, editor_revision(editor, config), cache)(table)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "a.mp4", coded_frames(8), fps=8)
    return folder


@pytest.fixture(scope="module")
def clips(folder):
    """Two clips of a video with a column of the user's, and a video that is missing."""
    row = {"video": "a.mp4", "caption": "a cat", "targets": ["a dog"], "mask": [1.5], "split": "x"}
    return annotated(folder, row, row | {"video": "b.mp4", "split": "y"})


def test_every_clip_is_a_row_beside_the_users_columns(clips):
    assert clips.schema.names[-len(ANNOTATED.names) :] == ANNOTATED.names
    assert clips.select(ANNOTATED.names).schema.equals(ANNOTATED)
    rows = clips.to_pylist()
    assert [row["split"] for row in rows] == ["x", "x", "y"]
    assert [row["start_seconds"] for row in rows] == [0.0, 0.5, None]
    assert [row["error_type"] for row in rows] == [None, None, "FileMissing"]
    assert rows[0]["manifest_mask"] == [1.5] and rows[0]["mask"] is None
    assert rows[0]["targets"][0]["prompt"] == "a dog"


def test_bytes_are_a_video(folder, clips):
    data = (folder / "a.mp4").read_bytes()
    row = {"caption": "a cat", "targets": ["a dog"]}
    named = annotated(folder, row | {"video": data, "uri": "a.mp4"})
    assert named["row_id"].to_pylist() == clips["row_id"].to_pylist()[:2]
    unnamed = annotated(folder, row | {"video": data}, row | {"video": b"rotten"}).to_pylist()
    assert [each["source_uri"] for each in unnamed] == [None] * 3
    assert unnamed[0]["source_video"] == named["source_video"][0].as_py()
    assert unnamed[0]["row_id"] != named["row_id"][0].as_py()
    assert unnamed[2]["error_type"] == "NotAVideo"


def test_a_wrong_cell_fails_its_row(folder):
    (row,) = annotated(folder, {"video": "../a.mp4", "start_seconds": 0.5}).to_pylist()
    assert row["error_type"] == "BadManifestRow"
    assert row["error_message"] == "row of ../a.mp4: uri ../a.mp4 leaves the manifest's folder"


def test_edits_of_a_cache_are_read_and_failures_are_not_kept(clips, tmp_path):
    cache = Storage(str(tmp_path))
    first = edited(clips, cache)
    assert first.column("level").to_pylist() == ["edit", "edit", "source"]
    assert len(cache.files("edits", ".parquet")) == 2
    times = ["seconds", "inversion_seconds"]
    assert edited(clips, cache).equals(first)  # with the seconds of the first time
    assert edited(clips).drop_columns(times).equals(first.drop_columns(times))

    place = clips.column_names.index("targets")
    poisoned = [[{"prompt": "raise", "where": "subject"}]] * 3
    changed = clips.set_column(place, "targets", pa.array(poisoned, clips.schema.field(place).type))
    failed = edited(changed, cache)
    assert failed["error_type"].to_pylist() == ["RuntimeError", "RuntimeError", "FileMissing"]
    assert len(cache.files("edits", ".parquet")) == 2


def test_an_edit_outside_the_limits_is_rejected(clips):
    edits = edited(clips)
    exact = [
        np.abs(decode_video(row["edited_video"]).astype(int) - decode_video(row["source_video"]))
        for row in edits.to_pylist()[:2]
    ]
    loose, strict = (
        MeasureRows(configured(f"publish.limits={{'{METRIC}': {{max: {most}}}}}"))(edits)
        for most in (255, 1)
    )
    assert loose[COLUMN].to_pylist() == [*(pytest.approx(each.mean()) for each in exact), None]
    assert loose["status"].to_pylist() == ["ok", "ok", "failed"]
    assert strict["status"].to_pylist() == ["rejected", "rejected", "failed"]
    assert strict["error_type"].to_pylist() == ["OutOfLimits", "OutOfLimits", "FileMissing"]
    assert strict.select(DATASET.names).schema.equals(DATASET)


def test_a_function_names_the_column_that_it_lacks(clips):
    with pytest.raises(ValueError, match="no column 'edited_video', which measure reads"):
        MeasureRows(configured())(edited(clips).drop_columns(["edited_video"]))
    with pytest.raises(ValueError, match="no column 'video', which annotate reads"):
        AnnotateRows(configured(), Storage("."))(pa.table({"url": ["a"]}))


@pytest.mark.parametrize("setting", ["edit.tries=1", "publish.size=source"])
def test_settings_that_need_a_run_are_refused(setting):
    ladder = ["edit.ladder=[{lam: 0.1}]"] if setting.startswith("edit") else []
    with pytest.raises(ConfigError, match=f"{setting.split('=')[0]}.*run"):
        edit(None, load_config(assignments=[setting, *ladder]))
