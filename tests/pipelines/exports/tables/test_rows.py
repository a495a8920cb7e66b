"""Exports to Iceberg and Lance, read back by their own libraries."""

import datetime
from decimal import Decimal

import lance
import numpy as np
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.utils.config import Config

from pipelines.errors import RunError
from pipelines.exports.base import export
from pipelines.exports.edits import PublishedDataset
from pipelines.exports.tables.iceberg import IcebergTable
from pipelines.exports.tables.lance import LanceTable
from pipelines.exports.tables.rows import append, described, lacks, write_videos
from pipelines.exports.videofolder import VideoFolder
from pipelines.storage import Storage

pytestmark = pytest.mark.usefixtures("ray_cluster")
NOON = datetime.datetime(2026, 1, 2, 12)


class Iceberg:
    """A table in a catalogue on the disk."""

    def __init__(self, folder, monkeypatch):
        monkeypatch.setenv("PYICEBERG_CATALOG__TEST__URI", f"sqlite:///{folder}/catalogue.db")
        monkeypatch.setenv("PYICEBERG_CATALOG__TEST__WAREHOUSE", f"file://{folder}/warehouse")
        (folder / "warehouse").mkdir()
        # pyiceberg reads the environment when it is imported.
        monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())

    def open(self):
        return IcebergTable("edits.first", "test")

    def read(self):
        return load_catalog("test").load_table("edits.first").scan().to_arrow()

    def versions(self):
        return len(load_catalog("test").load_table("edits.first").snapshots())


class Lance:
    def __init__(self, folder, monkeypatch):
        self.path = str(folder / "edits.lance")

    def open(self):
        return LanceTable(self.path)

    def read(self):
        return lance.dataset(self.path).to_table()

    def versions(self):
        table = lance.dataset(self.path)
        return sum(bool(each["metadata"]["total_rows"] != "0") for each in table.versions())


@pytest.fixture(params=[Iceberg, Lance])
def table(request, tmp_path, monkeypatch):
    return request.param(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def videos(published, tmp_path_factory):
    videos = Storage(str(tmp_path_factory.mktemp("videos") / "pairs"))
    assert list(write_videos(published.dataset, videos))
    return videos


def add(dataset, videos, table):
    opened = table.open()
    if lacks(dataset, opened):
        append(dataset, videos, opened)
        return True
    return False


def test_a_table_has_the_edits_that_are_ok_with_addresses_of_their_videos(published, videos, table):
    assert add(published.dataset, videos, table)
    rows = {row["row_id"]: row for row in table.read().to_pylist()}
    assert rows.keys() == {row["row_id"] for row in published.ok}
    for expected in published.ok:
        row = rows[expected["row_id"]]
        assert row["dataset_id"] == published.dataset.identity
        assert "edited_video" not in row and "source_video" not in row
        for column in ("source_prompt", "target_word", "fps", "num_frames", "label"):
            assert row[column] == expected.get(column)
        for name in ("source_video", "edited_video"):
            with open(row[f"{name}_uri"], "rb") as file:
                assert file.read() == expected[name]


def test_the_same_dataset_is_appended_once(published, videos, table):
    assert add(published.dataset, videos, table)
    assert not add(published.dataset, videos, table)
    assert len(table.read()) == len(published.ok) and table.versions() == 1


def test_the_snapshot_names_the_dataset(published, videos, tmp_path, monkeypatch):
    add(published.dataset, videos, Iceberg(tmp_path, monkeypatch))
    (snapshot,) = load_catalog("test").load_table("edits.first").snapshots()
    assert snapshot.summary["strmatch.dataset"] == published.dataset.identity
    comments = {
        f.name: f.doc for f in load_catalog("test").load_table("edits.first").schema().fields
    }
    assert comments["dataset_id"] == "names the dataset that the row came with"
    assert comments["fps"].startswith("frames a second of the clip")


def test_a_failed_append_leaves_no_row_and_is_repeated(published, videos, table, monkeypatch):
    """One of the files that tasks read is gone meanwhile."""
    broken = PublishedDataset(published.output)
    broken.row_groups = [group._replace(number=99) for group in broken.row_groups[-1:]]
    broken.row_groups = published.dataset.row_groups[:-1] + broken.row_groups
    opened = table.open()
    assert lacks(broken, opened)
    with pytest.raises(Exception, match="99"):
        append(broken, videos, opened)
    assert len(table.read()) == 0
    assert add(published.dataset, videos, table)
    assert len(table.read()) == len(published.ok) and table.versions() == 1


def other_dataset(published, folder, columns):
    """A dataset of other rows, with further columns of the manifest."""
    output = Storage(str(folder))
    for name in published.output.find("dataset", ".parquet")[:1]:
        rows = published.output.read_table(name)
        ids = pa.array([f"ffff{n:04d}" for n in range(len(rows))])
        rows = rows.set_column(rows.schema.get_field_index("row_id"), "row_id", ids)
        for column, value in columns.items():
            rows = rows.append_column(column, pa.repeat(value, len(rows)))
        output.write_table("dataset/split=te%20st/part-00000.parquet", rows)
    return PublishedDataset(output)


def test_another_dataset_with_further_columns_is_appended(published, videos, table, tmp_path):
    add(published.dataset, videos, table)
    other = other_dataset(published, tmp_path / "other", {"licence": pa.scalar("cc0")})
    more = Storage(str(tmp_path / "more"))
    assert list(write_videos(other, more))
    assert add(other, more, table)
    rows = table.read().to_pylist()
    licences = {row["dataset_id"]: (row["licence"], row["split"]) for row in rows}
    assert licences == {
        published.dataset.identity: (None, None),
        other.identity: ("cc0", "te st"),
    }
    assert len(rows) > len(published.ok) and table.versions() >= 2


def test_rows_of_an_earlier_publication_are_not_appended_twice(published, videos, table, tmp_path):
    add(published.dataset, videos, table)
    fewer = Storage(str(tmp_path / "fewer"))
    name = published.output.find("dataset", ".parquet")[0]
    fewer.write(name, published.output.read(name))
    with pytest.raises(RunError) as caught:
        lacks(PublishedDataset(fewer), table.open())
    assert "holds rows of an earlier state of this dataset: delete those with dataset_id " in str(
        caught.value
    )
    assert published.dataset.identity in str(caught.value)


def test_a_table_of_others_is_left_alone(published, tmp_path):
    lance.write_dataset(pa.table({"a": [1]}), tmp_path / "other.lance")
    with pytest.raises(RunError, match="has no column dataset_id: name a table of exports"):
        lacks(published.dataset, LanceTable(str(tmp_path / "other.lance")))


def test_videos_of_another_export_are_not_written_again(published, tmp_path):
    videos = Storage(str(tmp_path / "videos"))
    for _ in export(published.dataset, VideoFolder(inverse=True), videos):
        pass
    assert list(write_videos(published.dataset, videos)) == []
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "a.mp4").write_bytes(b"")
    with pytest.raises(RunError, match="has files and is no export"):
        list(write_videos(published.dataset, Storage(str(tmp_path / "foreign"))))


def test_a_column_of_the_manifest_with_the_name_of_an_address_is_refused():
    with pytest.raises(RunError, match="has a column dataset_id of the manifest"):
        described(pa.schema([("row_id", pa.string()), ("dataset_id", pa.string())]))


OWN = {
    "small": (7, pa.uint8()),
    "large": (2**63, pa.uint64()),
    "half": (np.float16(0.5), pa.float16()),
    "price": (Decimal("1.20"), pa.decimal256(50, 2)),
    "when": (NOON, pa.timestamp("ns", "Europe/Berlin")),
    "clock": (NOON.time(), pa.time32("s")),
    "lasted": (datetime.timedelta(seconds=2), pa.duration("us")),
    "boxes": (
        [{"at": NOON, "tags": ["a"]}],
        pa.list_(pa.struct([("at", pa.timestamp("s")), ("tags", pa.large_list(pa.string()))])),
    ),
    "pair": ([1, 2], pa.list_(pa.int16(), 2)),
}
"""Columns of a manifest: a value, and its type."""
IN_ICEBERG = {"price": "1.20", "lasted": 2_000_000}


def test_columns_of_the_manifest_have_types_of_the_table(published, table, tmp_path):
    values = {name: pa.scalar(*each) for name, each in OWN.items()}
    other = other_dataset(published, tmp_path / "other", values)
    videos = Storage(str(tmp_path / "more"))
    list(write_videos(other, videos))
    add(other, videos, table)
    row = table.read().to_pylist()[0]
    expected = {name: scalar.as_py() for name, scalar in values.items()}
    if isinstance(table, Iceberg):
        expected |= IN_ICEBERG
    for name, value in expected.items():
        assert row[name] == value, name
