import io
import json
import tarfile

import datasets
import pytest
import webdataset

from pipelines.exports.webdataset import MEGABYTE, WebDataset
from pipelines.storage import Storage
from tests.pipelines.exports.folders import content, write

SMALL = 0.02
"""Megabytes of a shard, so that the dataset has several."""


@pytest.fixture(scope="module")
def folder(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("webdataset")
    write(published, WebDataset(SMALL), Storage(str(folder)))
    return folder


def shards(folder):
    return [str(path) for path in sorted(folder.glob("*.tar"))]


def test_webdataset_reads_every_edit_in_order(published, folder):
    samples = list(webdataset.WebDataset(shards(folder), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [row["row_id"] for row in published.ok]
    for sample, row in zip(samples, published.ok, strict=True):
        assert sample["source.mp4"] == row["source_video"]
        assert sample["target.mp4"] == row["edited_video"]
        told = json.loads(sample["json"])
        for name in ("instruction", "inverse_instruction", "source_uri", "label"):
            assert told[name] == row[name]


def test_datasets_reads_the_shards_as_well(published, folder, tmp_path):
    loaded = datasets.load_dataset(
        "webdataset",
        data_files=shards(folder),
        split="train",
        cache_dir=str(tmp_path),
    )
    assert len(loaded) == len(published.ok)
    assert loaded.unique("__key__") == [row["row_id"] for row in published.ok]


def test_shards_have_about_the_size_and_no_trace_of_the_machine(published, folder):
    files = shards(folder)
    assert len(files) > 2
    sizes = json.loads((folder / "sizes.json").read_text())
    assert sum(sizes.values()) == len(published.ok)
    for path in files:
        with tarfile.open(path) as tar:
            members = tar.getmembers()
        assert len(members) == 3 * sizes[path.rsplit("/", 1)[-1]]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} <= {(0, 0, 0, "", "")}
        assert sum(m.size for m in members) < 2 * SMALL * MEGABYTE


def test_a_second_export_has_the_same_bytes(published, folder, tmp_path):
    write(published, WebDataset(SMALL), Storage(str(tmp_path)))
    assert content(tmp_path) == content(folder)


def test_a_large_shard_takes_all_and_a_store_gets_the_same_bytes(published, tmp_path):
    write(published, WebDataset(), Storage(str(tmp_path)))
    names = [name for name in content(tmp_path) if name.endswith(".tar")]
    assert names == ["00000.tar"]
    to = Storage("memory://exports/webdataset")
    write(published, WebDataset(), to)
    assert to.read("00000.tar") == content(tmp_path)["00000.tar"]
    with tarfile.open(fileobj=io.BytesIO(to.read("00000.tar"))) as tar:
        assert len(tar.getnames()) == 3 * len(published.ok)
    to.fs.rm(to.root, recursive=True)
