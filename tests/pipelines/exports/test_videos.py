import pytest

from pipelines.exports.videos import plain_name, with_files
from pipelines.storage import Storage
from tests.pipelines.exports.folders import content

ODD = [
    "",
    ".",
    "..",
    "../up",
    "a/b",
    "a b",
    "é",
    "🎬",
    "x" * 300,
    "NUL\0",
    "line\nbreak",
    "s3://b/k",
]


def row(row_id, source, edited):
    return {"row_id": row_id, "source_video": source, "edited_video": edited}


@pytest.mark.parametrize("row_id", ODD)
def test_ids_with_odd_characters_make_plain_names(tmp_path, row_id):
    to = Storage(str(tmp_path))
    ((found),) = with_files(to, [row(row_id, b"source", b"edited")])
    files = content(tmp_path)
    assert files[found["source_file"]] == b"source" and files[found["edited_file"]] == b"edited"
    assert all(name.isascii() and len(name) < 60 and name.count("/") == 2 for name in files)


def test_names_of_different_ids_differ():
    names = [plain_name(row_id) for row_id in [*ODD, "0" * 32, "f" * 32]]
    assert len(set(names)) == len(names)
    assert names[-2:] == ["0" * 32, "f" * 32]


def test_equal_sources_share_a_file_and_different_ones_never_do(tmp_path):
    to = Storage(str(tmp_path))
    rows = [row(f"{n:032x}", f"source {n // 3}".encode(), f"edit {n}".encode()) for n in range(20)]
    found = list(with_files(to, [dict(each) for each in rows]))
    files = content(tmp_path)
    assert len(files) == 20 + 7
    for before, after in zip(rows, found, strict=True):
        assert files[after["source_file"]] == before["source_video"]
        assert files[after["edited_file"]] == before["edited_video"]


def test_rows_are_written_before_they_are_yielded_and_read_as_needed(tmp_path):
    read = []

    def rows():
        for number in range(20):
            read.append(number)
            yield row(f"{number:032x}", b"source", b"edited")

    first = next(with_files(Storage(str(tmp_path)), rows()))
    assert (tmp_path / first["edited_file"]).exists()
    assert len(read) < 20
