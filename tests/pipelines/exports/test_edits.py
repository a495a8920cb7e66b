import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.errors import RunError
from pipelines.exports.edits import PublishedDataset
from pipelines.storage import Storage


def read(dataset, columns):
    return [row for part in dataset.parts for row in dataset.edits(part, columns)]


def test_only_edits_that_are_ok_are_read_in_order(published):
    columns = ["row_id", "source_uri", "edited_video", "label"]
    expected = [{name: row[name] for name in columns} for row in published.ok]
    assert len(published.rows) == 40 and 20 < len(expected) < 30
    assert read(published.dataset, columns) == expected


def test_every_row_group_is_a_part(published):
    parts = published.dataset.parts
    assert len({part.file for part in parts}) == 3
    assert len(parts) == 9
    assert parts == sorted(parts)


def test_rows_are_counted_by_level_and_status(published):
    expected = Counter((row["level"], row["status"]) for row in published.rows)
    assert published.dataset.counts() == expected
    assert len(expected) == 5


def test_the_identity_follows_the_content_and_not_the_place(published, tmp_path):
    shutil.copytree(published.output.root, tmp_path / "moved")
    moved = Storage(str(tmp_path / "moved"))
    assert PublishedDataset(moved).identity == published.dataset.identity
    name = moved.files("dataset")[0]
    moved.write_table(name, moved.read_table(name).slice(1), 5)
    assert PublishedDataset(moved).identity != published.dataset.identity


def test_columns_in_names_of_folders_are_read(published, tmp_path):
    output = Storage(str(tmp_path))
    table = published.output.read_table("dataset/part-00000.parquet").drop_columns("label")
    output.write_table("dataset/label=a%2Fb%20c/part-00000.parquet", table)
    labels = {row["label"] for row in read(PublishedDataset(output), ["label"])}
    assert labels == {"a/b c"}


def test_a_column_that_an_older_version_lacks_is_null(published):
    (first, *_) = read(published.dataset, ["row_id", "of_later_versions"])
    assert first["of_later_versions"] is None


def test_folders_without_a_whole_dataset_are_refused(published, tmp_path):
    output = Storage(str(tmp_path))
    with pytest.raises(RunError, match="holds no dataset"):
        PublishedDataset(output)
    shutil.copytree(Path(published.output.root) / "dataset", tmp_path / "dataset")
    output.write("run.json", b"{}")
    with pytest.raises(RunError, match="_SUCCESS is missing"):
        PublishedDataset(output)
    output.write("_SUCCESS", b"")
    assert PublishedDataset(output).parts


def test_files_that_are_no_dataset_are_named(tmp_path):
    output = Storage(str(tmp_path))
    output.write_table("dataset/a.parquet", pa.table({"row_id": ["1"]}))
    with pytest.raises(RunError, match=r"a\.parquet lacks the column level"):
        PublishedDataset(output)
    output.write("dataset/a.parquet", b"not Parquet")
    with pytest.raises(RunError, match=r"a\.parquet cannot be read"):
        PublishedDataset(output)
