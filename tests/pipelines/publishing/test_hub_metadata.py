"""The dataset as others load it, with columns of the manifest of all types."""

import datetime
from decimal import Decimal

import datasets
import fsspec
import huggingface_hub
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import ray.data

from pipelines.config.loading import load_config
from pipelines.media.encode import encode_video
from pipelines.publishing.card import write_card
from pipelines.publishing.hub_metadata import as_yaml, features, hub_metadata
from pipelines.schema import DATASET, conform, rows_table, with_extras, with_metrics
from pipelines.sources.manifest_file import read_manifest
from pipelines.storage import Storage
from pipelines.tables.outcomes import OutcomeCounter
from tests.pipelines.publishing.test_card import RECORD

NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
BOX = pa.struct([("x", pa.int16()), ("tags", pa.list_(pa.string()))])
OWN = {
    "flag": ([True, None], pa.bool_()),
    "tiny": ([1, None], pa.uint8()),
    "half": ([0.5, None], pa.float16()),
    "single": ([0.5, None], pa.float32()),
    "price": ([Decimal("1.20"), None], pa.decimal128(10, 2)),
    "small_price": ([Decimal("1.20"), None], pa.decimal64(10, 2)),
    "day": ([NOON.date(), None], pa.date32()),
    "when": ([NOON, None], pa.timestamp("us", "UTC")),
    "local": ([NOON.replace(tzinfo=None), None], pa.timestamp("ns")),
    "lasted": ([datetime.timedelta(seconds=3), None], pa.duration("us")),
    "clock": ([NOON.time(), None], pa.time64("us")),
    "class": (["car", None], pa.dictionary(pa.int8(), pa.string())),
    "box": ([{"x": 1, "tags": ["a", "b"]}, None], BOX),
    "boxes": ([[{"x": 1, "tags": []}, {"x": 2, "tags": None}], None], pa.list_(BOX)),
    "grid": ([[[1.0, 2.0], []], None], pa.list_(pa.list_(pa.float64()))),
    "pair": ([[1, 2], None], pa.list_(pa.int32(), 2)),
    "long": ([["a"], None], pa.large_list(pa.large_string())),
    "counts": ([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
    "nothing": ([None, None], pa.null()),
    "digest": ([b"12345678", None], pa.binary(8)),
    "blob": ([b"1", None], pa.large_binary()),
}
"""Columns of a manifest by name: values of its two rows, and their type."""
MADE = {"class": "car", "counts": [{"key": "a", "value": 1}]}
"""Values of the first row that are carried in another form."""


@pytest.fixture(scope="module", params=[False, True], ids=["one folder", "partitioned"])
def output(request, tmp_path_factory):
    """A published dataset of an edit and a source without a clip, which has no video."""
    folder = tmp_path_factory.mktemp("all kinds")
    own = {name: pa.array(*column) for name, column in OWN.items()}
    pq.write_table(pa.table({"uri": ["a.mp4", "b.mp4"], **own}), folder / "manifest.parquet")
    manifest = str(folder / "manifest.parquet")
    extras = read_manifest(fsspec.filesystem("file"), manifest, manifest).table.drop_columns("uri")
    video = encode_video(np.zeros((4, 16, 16, 3), np.uint8), 8.0)
    edit = {
        "row_id": "a",
        "level": "edit",
        "status": "ok",
        "mask": [{"size": [2, 2], "counts": "4"}],
    }
    rows = [
        edit | {"source_video": video, "edited_video": video, "timestamps": [0.0, 0.5]},
        {"row_id": "b", "level": "source", "status": "failed"},
    ]
    table = rows_table(rows, DATASET)
    for name in extras.column_names:
        table = table.append_column(name, extras[name])
    schema = with_extras(with_metrics(DATASET, ["changed"]), extras.schema)
    table, output = conform(table, schema), Storage(str(folder / "out"))
    if request.param:
        output.write_table("dataset/label=a%20b/part-00000.parquet", table[:1])
        output.write_table("dataset/label=c/part-00000.parquet", table[1:])
    else:
        output.write_table("dataset/part-00000.parquet", table, row_group_size=1)
    config = load_config(assignments=["measure.metrics=[changed]", "publish.limits=null"])
    counter = OutcomeCounter(config.publish.bounds)
    counter.add(table)
    write_card(output, config, RECORD.model_copy(update={"outcomes": counter.result()}))
    return output


def test_datasets_takes_the_columns_of_videos_for_videos(output, tmp_path):
    loaded = datasets.load_dataset(output.uri, split="train", cache_dir=str(tmp_path))
    for name in ("source_video", "edited_video"):
        assert isinstance(loaded.features[name], datasets.Video)
        loaded = loaded.cast_column(name, datasets.Video(decode=False))
    edit, source = loaded
    assert edit["edited_video"]["bytes"][4:8] == b"ftyp" and source["edited_video"] is None
    assert edit["mask"] == [{"size": [2, 2], "counts": "4"}]
    _assert_own(edit, source)


@pytest.mark.usefixtures("ray_cluster")
def test_every_reader_takes_all_columns(output):
    there = output.path("dataset")
    by_pandas = pd.read_parquet(there, dtype_backend="pyarrow")
    own = pa.Table.from_pandas(by_pandas[list(OWN)], preserve_index=False)
    _assert_own(*own.to_pylist())
    by_arrow = pa.dataset.dataset(there, partitioning="hive").to_table()
    by_ray = pa.concat_tables(ray.get(ray.data.read_parquet(there).to_arrow_refs()))
    for table in (by_arrow, by_ray):
        edit, source = table.sort_by("row_id").to_pylist()
        assert edit["edited_video"][4:8] == b"ftyp" and source["edited_video"] is None
        assert edit.get("label", "a b") == "a b"
        _assert_own(edit, source)


def _assert_own(first, second):
    for name, (values, _) in OWN.items():
        expected = MADE.get(name, values[0])
        assert first[name] == expected, name
        assert second[name] is None, name


def test_types_are_written_as_datasets_writes_them(output):
    schema = output.read_schema(output.find("dataset", ".parquet")[0])
    theirs = datasets.Features.from_arrow_schema(schema)
    theirs |= {name: datasets.Video() for name in ("source_video", "edited_video")}
    assert features(schema) == datasets.Features(theirs)._to_yaml_list()


def test_the_hub_reads_the_card(output):
    card = huggingface_hub.DatasetCard(output.read("README.md").decode())
    data = card.data.to_dict()
    assert data["pretty_name"] == "Edited videos: out"
    assert data["size_categories"] == ["n<1K"] and data["task_categories"] == ["video-to-video"]
    (config,) = data["configs"]
    assert config["data_files"] == [{"split": "train", "path": "dataset/**/*.parquet"}]
    assert "license" not in data
    assert card.text.lstrip().startswith("# Edited videos")


@pytest.mark.parametrize(("rows", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (10**9, "1B<n<10B")])
def test_the_card_names_the_size(rows, size):
    assert hub_metadata("x", DATASET, rows)["size_categories"] == [size]


def test_any_name_of_a_column_stays_in_the_metadata():
    name = "a\n---\n: - # 'b' \"c\" {{ d }}"
    text = as_yaml(hub_metadata(name, pa.schema([(name, pa.string())]), 1)) + "# title\n"
    card = huggingface_hub.DatasetCard(text)
    data = card.data.to_dict()
    assert data["pretty_name"] == name and data["dataset_info"]["features"][0]["name"] == name
    assert card.text == "# title\n"
