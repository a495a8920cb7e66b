import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.errors import RunError
from pipelines.exports.edits import PublishedDataset, grouped
from pipelines.storage import Storage


def read(dataset, columns):
    return [row for group in dataset.row_groups for row in dataset.edits(group, columns)]


def test_only_edits_that_are_ok_are_read_in_order(published):
    columns = ["row_id", "source_uri", "edited_video", "label"]
    expected = [{name: row[name] for name in columns} for row in published.ok]
    assert len(published.rows) == 40 and 20 < len(expected) < 30
    assert read(published.dataset, columns) == expected


def test_row_groups_are_grouped_in_order_to_about_a_size(published):
    groups = published.dataset.row_groups
    assert len({group.file for group in groups}) == 3
    assert len(groups) == 9 and groups == sorted(groups)
    assert grouped(groups, 0) == [[group] for group in groups]
    size = groups[0].bytes + groups[1].bytes
    some = grouped(groups, size)
    assert [group for part in some for group in part] == groups
    assert some[0] == groups[:2]
    assert all(sum(g.bytes for g in part) <= size or len(part) == 1 for part in some)
    assert grouped([], 1) == []


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
    output.write_table("dataset/part-00000.parquet", table)
    dataset = PublishedDataset(output)
    assert dataset.schema.field("label").type == pa.string()
    assert {row["label"] for row in read(dataset, ["label"])} == {"a/b c", None}


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
    assert PublishedDataset(output).row_groups


def test_files_that_are_no_dataset_are_named(tmp_path):
    output = Storage(str(tmp_path))
    output.write_table("dataset/a.parquet", pa.table({"row_id": ["1"]}))
    with pytest.raises(RunError, match=r"a\.parquet lacks the column level"):
        PublishedDataset(output)
    output.write("dataset/a.parquet", b"not Parquet")
    with pytest.raises(RunError, match=r"a\.parquet cannot be read"):
        PublishedDataset(output)
