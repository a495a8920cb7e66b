import json

import datasets
import pytest

from pipelines.exports.edits import PublishedDataset
from pipelines.exports.videofolder import VideoFolder
from pipelines.storage import Storage
from tests.pipelines.exports.folders import content, write
from tests.pipelines.support.datasets import write_dataset


def load(folder, cache):
    """The folder as its users load it, with the bytes of the videos in place of their frames."""
    loaded = datasets.load_dataset(
        "videofolder", data_dir=str(folder), split="train", cache_dir=str(cache)
    )
    for name in ("source", "target"):
        assert isinstance(loaded.features[name], datasets.Video)
        loaded = loaded.cast_column(name, datasets.Video(decode=False))
    return loaded


def read(video):
    if video["bytes"] is not None:
        return video["bytes"]
    with open(video["path"], "rb") as file:
        return file.read()


@pytest.fixture(scope="module")
def folder(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("videofolder")
    write(published, VideoFolder(), Storage(str(folder)))
    return folder


def test_datasets_loads_every_edit_with_its_videos_and_columns(published, folder, tmp_path):
    loaded = load(folder, tmp_path)
    assert len(loaded) == len(published.ok)
    by_id = {row["row_id"]: row for row in loaded}
    for row in published.ok:
        found = by_id[row["row_id"]]
        assert read(found["source"]) == row["source_video"]
        assert read(found["target"]) == row["edited_video"]
        for name in ("instruction", "source_prompt", "source_uri", "label", "metric_background"):
            assert found[name] == row[name]
        assert found["inverse"] is False


def test_the_way_back_has_source_and_target_the_other_way_round(published, tmp_path):
    write(published, VideoFolder(inverse=True, count=2), Storage(str(tmp_path / "to")))
    loaded = load(tmp_path / "to", tmp_path / "cache")
    assert len(loaded) == 4 * len(published.ok)
    there = {r["row_id"]: r for r in loaded if not r["inverse"]}
    for row in loaded.filter(lambda row: row["inverse"]):
        forth = there[row["row_id"]]
        assert read(row["target"]) == read(forth["source"])
        assert read(row["source"]) == read(forth["target"])
        assert row["source_prompt"] == forth["target_prompt"]
        assert row["target_prompt"] == forth["source_prompt"]
        assert row["source_word"] == forth["target_word"]


def test_a_dataset_of_an_older_version_gets_its_instructions(folder, tmp_path):
    output = Storage(str(tmp_path / "old"))
    write_dataset(output, drop=("instruction", "inverse_instruction"))

    class Old:
        dataset = PublishedDataset(output)

    write(Old, VideoFolder(), Storage(str(tmp_path / "to")))

    def told(root):
        lines = content(root)["metadata.jsonl"].splitlines()
        keys = ("row_id", "instruction", "inverse_instruction")
        return [[json.loads(line)[key] for key in keys] for line in lines]

    assert told(tmp_path / "to") == told(folder)
