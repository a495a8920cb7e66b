"""Folders that a run takes over from another."""

from pipelines.runs.copy_run import _mirror
from pipelines.storage import Storage


def test_a_mirrored_folder_equals_the_other_and_keeps_equal_files(tmp_path):
    for uri in (str(tmp_path), "memory://mirror"):
        old, new = Storage(f"{uri}/old"), Storage(f"{uri}/new")
        for name in ("clips/same", "clips/changed", "clips/deep/new"):
            old.write(name, name.encode())
        for name in ("clips/same", "clips/gone", "edits/own"):
            new.write(name, name.encode())
        new.write("clips/changed", b"half")
        before = new.fs.modified(new.path("clips/same"))
        _mirror(old, new, "clips")
        assert new.find("clips", "") == ["clips/changed", "clips/deep/new", "clips/same"]
        assert all(new.read(name) == name.encode() for name in new.find("clips", ""))
        assert new.fs.modified(new.path("clips/same")) == before
        assert new.exists("edits/own")
        _mirror(old, new, "no such folder")
