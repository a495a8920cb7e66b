import fsspec
import pytest

from pipelines.config.loading import load_config
from pipelines.errors import InputError
from pipelines.media.encode import decode_video
from pipelines.reliability.deadline import Deadline
from pipelines.sources.lerobot.address import dataset_root
from pipelines.sources.listing import find_sources
from pipelines.stages.find_clips import FindClips
from tests.hub_datasets import DatasetHub
from tests.pipelines.support.lerobot import TOP, write_dataset
from tests.pipelines.support.pictures import SIZE, named

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = write_dataset(tmp_path / "dataset", lengths=(4, 5, 6, 7))
    with DatasetHub(datasets={"someone/dataset": (COMMIT, "v3.0", folder)}) as hub:
        template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        constants = "huggingface_hub.constants"
        monkeypatch.setattr(f"{constants}.ENDPOINT", hub.url)
        monkeypatch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", template)
        fsspec.get_filesystem_class("hf").clear_instance_cache()
        yield hub
        fsspec.get_filesystem_class("hf").clear_instance_cache()


def test_a_dataset_of_the_hub_is_pinned_to_its_commit(hub):
    sources = find_sources("lerobot://someone/dataset@v3.0", {}).to_pylist()
    place = f"hf://datasets/someone/dataset@{COMMIT}/videos/{TOP}/chunk-000/file-000.mp4"
    assert sources[0]["location"] == sources[0]["source_uri"] == place
    assert [row["num_frames"] for row in sources[::2]] == [4, 5, 6, 7]


def test_clips_are_read_from_the_hub(hub):
    config = load_config(
        assignments=["clip.span=shot", f"clip.height={SIZE}", f"clip.width={SIZE}"]
    )
    source = find_sources("lerobot://someone/dataset@v3.0", {}).to_pylist()[2]
    (row,) = FindClips(config.clip, {}, Deadline(600))(source)
    assert row["status"] == "ok", row["error_message"]
    shown = [named(frame) for frame in decode_video(row["source_video"])]
    assert shown == [(1, 0, frame) for frame in range(5)]


def test_what_the_hub_lacks_is_refused_in_one_line(hub):
    for id in ("someone/other", "someone/dataset@v9"):
        with pytest.raises(InputError, match="no such folder, and the hub says: ") as error:
            find_sources(f"lerobot://{id}", {})
        assert "\n" not in str(error.value)


def test_a_folder_comes_before_a_hub_id_and_a_uri_stays(tmp_path, monkeypatch):
    (tmp_path / "someone" / "dataset").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert dataset_root("lerobot://someone/dataset") == f"{tmp_path}/someone/dataset"
    assert dataset_root("lerobot://s3://bucket/dataset/") == "s3://bucket/dataset"


def test_an_object_store_holds_the_same_dataset(tmp_path):
    folder = write_dataset(tmp_path / "dataset", lengths=(4, 5, 6, 7))
    store = fsspec.filesystem("memory")
    store.put(str(folder), "/lerobot/", recursive=True)
    there = find_sources("lerobot://memory://lerobot/dataset", {}).to_pylist()
    here = find_sources(f"lerobot://{folder}", {}).to_pylist()
    names = ("source_uri", "source_row", "num_frames", "start_seconds", "lerobot_dataset")
    assert [[row[n] for n in names] for row in there] == [[row[n] for n in names] for row in here]
    assert there[0]["location"].startswith("memory://")
    store.rm("/lerobot", recursive=True)
