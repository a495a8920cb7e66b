import random

import pytest

from pipelines.errors import RunError
from pipelines.exports.base import export
from pipelines.exports.edits import PublishedDataset
from pipelines.exports.pairs import Pairs
from pipelines.reliability.lease import Lease
from pipelines.storage import Storage
from tests.pipelines.exports.folders import content, write


class Killed(Exception):
    pass


class FailingStorage(Storage):
    """A folder whose process dies at a write."""

    def __init__(self, uri, writes):
        super().__init__(uri)
        self.left = writes

    def write(self, name, data):
        # The lease is not counted, because its thread writes at any time.
        if not name.startswith(".lease"):
            self.left -= 1
            if self.left < 0:
                raise Killed(name)
        super().write(name, data)


@pytest.fixture(scope="module")
def whole(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert write(published, Pairs(), Storage(str(folder))) == len(published.dataset.row_groups)
    return content(folder)


def test_a_complete_export_has_a_marker_and_no_parts(whole):
    assert whole["_SUCCESS"] == b""
    hidden = [name for name in whole if name.startswith(".")]
    assert hidden == [".export/export.json"]


def test_an_export_killed_at_any_write_continues_to_the_same_bytes(published, whole, tmp_path):
    rng = random.Random(0)
    for attempt in range(2):
        folder = tmp_path / str(attempt)
        kills = 0
        while "_SUCCESS" not in content(folder):
            try:
                write(published, Pairs(), FailingStorage(str(folder), rng.randint(1, 40)))
            except Killed:
                kills += 1
                assert "_SUCCESS" not in content(folder)
        assert kills
        assert content(folder) == whole


def test_finished_parts_are_not_read_again(published, tmp_path):
    to = Storage(str(tmp_path))
    steps = export(published.dataset, Pairs(), to)
    for _ in range(4):
        next(steps)
    steps.close()
    edits, read = published.dataset, []
    original = edits.edits
    edits.edits = lambda part, columns: read.append(part) or original(part, columns)
    assert sum(1 for _ in export(edits, Pairs(), to)) == len(edits.row_groups)
    assert read == edits.row_groups[4:]


def test_the_same_export_ends_at_once(published, whole, tmp_path):
    to = Storage(str(tmp_path))
    write(published, Pairs(), to)
    assert write(published, Pairs(), to) == 0
    assert content(tmp_path) == whole


def test_other_settings_and_other_files_are_refused(published, tmp_path):
    to = Storage(str(tmp_path / "a"))
    write(published, Pairs(), to)
    before = content(tmp_path)
    with pytest.raises(RunError, match="holds another export .settings: .*choose another"):
        write(published, Pairs(inverse=True), to)
    assert content(tmp_path) == before
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="has files and is no export"):
        write(published, Pairs(), Storage(str(tmp_path / "b")))
    assert list(content(tmp_path / "b")) == ["mine.txt"]


def test_a_destination_in_use_is_refused(published, tmp_path):
    to = Storage(str(tmp_path))
    with Lease(to), pytest.raises(RunError, match="is held by another run"):
        write(published, Pairs(), to)


def test_an_object_store_gets_and_holds_the_same_bytes(published, whole, s3):
    endpoint = {"endpoint_url": s3}
    options = {"key": "k", "secret": "s", "client_kwargs": endpoint}
    bucket = Storage("s3://exports", options)
    bucket.fs.mkdir("exports")
    for name in published.output.find("dataset", ".parquet"):
        bucket.write(f"run/{name}", published.output.read(name))
    dataset = PublishedDataset(Storage("s3://exports/run", options))
    to = Storage("s3://exports/to", options)
    steps = export(dataset, Pairs(), to)
    next(steps)
    steps.close()
    assert not to.exists("_SUCCESS")
    assert len(list(export(dataset, Pairs(), to))) == len(dataset.row_groups)
    names = to.fs.find(to.root)
    assert {name[len(to.root) + 1 :]: to.fs.cat_file(name) for name in names} == whole
    assert list(export(dataset, Pairs(), to)) == []
    with pytest.raises(RunError, match="holds another export"):
        list(export(dataset, Pairs(inverse=True), to))
