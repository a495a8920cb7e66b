import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.storage import Storage


@pytest.fixture(params=["disk", "object store"])
def storage(request, tmp_path):
    if request.param == "disk":
        return Storage(str(tmp_path / "it's here, é"))
    return Storage(f"memory://bucket/{tmp_path.name}")


def test_written_files_are_read_and_listed(storage):
    assert not storage.exists("a/b.txt")
    assert storage.files("a") == []
    storage.write("a/b.txt", b"one")
    storage.write("a/b.txt", b"two")
    storage.write("a/c.bin", b"")
    assert storage.read("a/b.txt") == b"two"
    assert storage.files("a") == ["a/b.txt", "a/c.bin"]
    assert storage.files("a", ".txt") == ["a/b.txt"]
    storage.remove("a")
    storage.remove("a")
    assert storage.files("a") == []


def test_tables_are_read_whole_or_in_part(storage):
    table = pa.table({"n": list(range(100)), "text": ["é"] * 100})
    storage.write_table("t/x.parquet", table, row_group_size=8)
    assert storage.read_table("t/x.parquet") == table
    assert storage.read_table("t/x.parquet", ["n"], [("n", "=", 42)]).to_pydict() == {"n": [42]}


def test_a_table_that_cannot_be_read_is_named(storage):
    storage.write("x/a.parquet", b"no table")
    for read in (storage.read_table, storage.read_schema):
        with pytest.raises(pa.ArrowInvalid, match=r"x/a\.parquet"):
            read("x/a.parquet")
    storage.write_table("x/b.parquet", pa.table({"a": range(1000)}))
    data = bytearray(storage.read("x/b.parquet"))
    data[4:40] = bytes(36)
    storage.write("x/b.parquet", bytes(data))
    with pytest.raises((pa.ArrowException, OSError), match=r"x/b\.parquet cannot be read: "):
        storage.read_table("x/b.parquet")


def test_a_pickled_storage_reads_the_same_folder(storage):
    storage.write("x", b"here")
    assert pickle.loads(pickle.dumps(storage)).read("x") == b"here"


def test_a_failed_write_leaves_only_the_old_file(tmp_path, monkeypatch):
    storage = Storage(str(tmp_path))
    storage.write("x", b"old")

    def full(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        storage.write("x", b"new")
    assert storage.read("x") == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_reader_never_sees_a_partial_file(tmp_path):
    storage = Storage(str(tmp_path))
    contents = [bytes([n]) * 500_000 for n in range(20)]
    storage.write("x", contents[0])
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(storage.write, "x", data) for data in contents]
        reads = [storage.read("x") for _ in range(50)]
        for write in writes:
            write.result()
    assert all(data in contents for data in reads)


def test_selected_rows_are_read_in_small_batches(tmp_path):
    storage = Storage(str(tmp_path))
    table = pa.table({"number": range(20), "name": [f"row {n}" for n in range(20)]})
    storage.write_table("rows.parquet", table, row_group_size=6)
    wanted = [19, 0, 5, 6, 7, 8, 9]
    parts = list(storage.some_rows("rows.parquet", ["number"], wanted, at_once=2))
    assert [row for part in parts for row in part] == [{"number": n} for n in sorted(wanted)]
    assert max(len(part) for part in parts) == 2
    assert list(storage.some_rows("rows.parquet", ["number"], [], at_once=2)) == []


def test_row_groups_without_wanted_rows_are_not_read(tmp_path):
    storage = Storage(str(tmp_path))
    table = pa.table({"number": range(20)})
    storage.write_table("rows.parquet", table, row_group_size=10)
    column = pq.read_metadata(tmp_path / "rows.parquet").row_group(0).column(0)
    with open(tmp_path / "rows.parquet", "r+b") as file:
        file.seek(column.dictionary_page_offset or column.data_page_offset)
        file.write(b"\xff" * column.total_compressed_size)
    with pytest.raises((OSError, pa.ArrowInvalid)):
        list(storage.some_rows("rows.parquet", ["number"], [3], at_once=10))
    assert list(storage.some_rows("rows.parquet", ["number"], [13], at_once=10)) == [
        [{"number": 13}]
    ]


def test_temporary_files_of_killed_writers_are_removed(tmp_path):
    output = Storage(str(tmp_path))
    kept = ["a.mp4", "folder/b.mp4", ".export/export.json", ".lease/.000001.json.0123abcd"]
    for name in [*kept, ".a.mp4.0123abcd", "folder/.b.mp4.89abcdef"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    output.remove_partial(but=".lease")
    files = (path for path in tmp_path.rglob("*") if path.is_file())
    assert sorted(str(path.relative_to(tmp_path)) for path in files) == sorted(kept)


@pytest.mark.parametrize("root", ["file", "memory"])
def test_chunks_are_written_as_one_file(tmp_path, root):
    output = Storage(str(tmp_path) if root == "file" else "memory://chunks")
    output.write_chunks("a/b.bin", (bytes([n]) * n for n in range(5)))
    assert output.read("a/b.bin") == bytes([1, 2, 2, 3, 3, 3, 4, 4, 4, 4])
    output.write_chunks("a/b.bin", [])
    assert output.read("a/b.bin") == b""


def test_chunks_that_fail_leave_the_file_as_it_was(tmp_path):
    output = Storage(str(tmp_path))
    output.write("a.bin", b"before")

    def chunks():
        yield b"after"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        output.write_chunks("a.bin", chunks())
    assert output.read("a.bin") == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
