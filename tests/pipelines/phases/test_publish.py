import pyarrow as pa
import pytest

from pipelines.errors import RunError
from pipelines.phases.publish import divide, portions, reconcile
from pipelines.storage import Storage

CLIPS = pa.schema([("clip_row", pa.string()), ("bytes", pa.float64()), ("folder", pa.string())])


def item(name, size, folder=""):
    return {"clip_row": name, "bytes": size, "folder": folder}


def names(items, size):
    clips = pa.Table.from_pylist(items, CLIPS)
    return {name: clips.take(rows)["clip_row"].to_pylist() for name, rows in divide(clips, size)}


def test_files_are_filled_in_order_to_about_the_target_size():
    items = [item(str(i), 40) for i in range(6)] + [item("large", 300), item("last", 1)]
    assert names(items, 100) == {
        "dataset/part-00000.parquet": ["0", "1"],
        "dataset/part-00001.parquet": ["2", "3"],
        "dataset/part-00002.parquet": ["4", "5"],
        "dataset/part-00003.parquet": ["large"],
        "dataset/part-00004.parquet": ["last"],
    }


def test_each_folder_has_separate_files():
    items = [item(str(i), 60, f"split={'ab'[i % 2]}/") for i in range(4)]
    assert names(items, 100) == {
        "dataset/split=a/part-00000.parquet": ["0"],
        "dataset/split=a/part-00001.parquet": ["2"],
        "dataset/split=b/part-00000.parquet": ["1"],
        "dataset/split=b/part-00001.parquet": ["3"],
    }


def test_no_rows_give_no_file():
    assert names([], 100) == {}


def test_a_portion_holds_at_most_the_given_clips_or_one_larger_part():
    parts = [(name, list(range(size))) for name, size in zip("abcde", [3, 1, 9, 2, 1], strict=True)]
    sizes = [[name for name, _ in some] for some in portions(parts, 4)]
    assert sizes == [["a", "b"], ["c"], ["d", "e"]]
    assert list(portions([], 4)) == []


@pytest.mark.parametrize(
    ("rows", "said"), [("ab", "1 rows lost, 0 too"), ("abcc", "0 rows lost, 1 too"), ("abc", None)]
)
def test_a_dataset_with_unexpected_rows_is_removed(tmp_path, rows, said):
    output = Storage(str(tmp_path))
    for name, ids in zip(("x", "y"), (rows[:1], rows[1:]), strict=True):
        output.write_table(f"dataset/{name}.parquet", pa.table({"row_id": list(ids)}))
    expected = pa.array(["c", "a", "b"])
    if said is None:
        return reconcile(output, expected)
    with pytest.raises(RunError, match=said):
        reconcile(output, expected)
    assert not (tmp_path / "dataset").exists()
