from pipelines.publish import ITEMS, divide
from pipelines.schema import rows_table


def item(name, size, folder=""):
    return {"clip_row": name, "bytes": size, "folder": folder}


def names(items, size):
    parts = divide(rows_table(items, ITEMS), size).to_pylist()
    return {part["name"]: [item["clip_row"] for item in part["items"]] for part in parts}


def test_files_are_filled_in_order_to_about_their_size():
    items = [item(str(i), 40) for i in range(6)] + [item("large", 300), item("last", 1)]
    assert names(items, 100) == {
        "dataset/part-00000.parquet": ["0", "1"],
        "dataset/part-00001.parquet": ["2", "3"],
        "dataset/part-00002.parquet": ["4", "5"],
        "dataset/part-00003.parquet": ["large"],
        "dataset/part-00004.parquet": ["last"],
    }


def test_every_folder_has_files_of_its_own():
    items = [item(str(i), 60, f"split={'ab'[i % 2]}/") for i in range(4)]
    assert names(items, 100) == {
        "dataset/split=a/part-00000.parquet": ["0"],
        "dataset/split=a/part-00001.parquet": ["2"],
        "dataset/split=b/part-00000.parquet": ["1"],
        "dataset/split=b/part-00001.parquet": ["3"],
    }


def test_nothing_makes_no_file():
    assert names([], 100) == {}
