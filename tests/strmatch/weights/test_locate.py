import shutil

import fsspec
import pytest

from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import check_available, local_folder
from strmatch.weights.remote import download
from strmatch.weights.source import Access, Source


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    (folder / "unet").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "unet" / "config.json").write_text("[]")
    (folder / "model.bin").write_bytes(b"x")
    return folder


def test_a_local_folder_is_returned_unchanged_and_a_uri_is_downloaded_once(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("STRMATCH_CACHE", str(tmp_path / "cache"))
    assert local_folder(Source(str(folder))) == folder
    fetched = local_folder(Source(f"file://{folder}"))
    assert (fetched / "config.json").read_text() == "{}"
    assert (fetched / "unet/config.json").read_text() == "[]"
    assert fetched != folder
    shutil.rmtree(folder)
    offline = Access(offline=True)
    assert local_folder(Source(f"file://{folder}"), offline) == fetched
    check_available(Source(f"file://{folder}", needed=("config.json",)), offline)
    with pytest.raises(WeightsError, match="file:///other is not cached, and offline permits no"):
        local_folder(Source("file:///other?signature=secret"), offline)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("someone/some-model", "to take it from the hub, name its commit"),
        ("/nowhere/model", "there is no folder /nowhere/model, and it is no hub id either"),
        ("model", "there is no folder model, and it is no hub id either"),
        ("/nowhere/model@abc", "there is no folder /nowhere/model@abc"),
    ],
)
def test_missing_and_unpinned_weights_are_refused(weights, message):
    with pytest.raises(WeightsError, match=message):
        local_folder(Source(weights))
    with pytest.raises(WeightsError, match=message):
        check_available(Source(weights))


def test_the_commit_of_a_hub_model_is_the_revision_or_follows_the_at_sign():
    assert Source("owner/name@abc").hub_id() == ("owner/name", "abc")
    assert Source("owner/name", "def").hub_id() == ("owner/name", "def")
    assert Source("owner/name", "def").origin == "owner/name@def"


def test_missing_files_are_reported_without_a_download(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("STRMATCH_CACHE", str(tmp_path / "cache"))
    for weights in (str(folder), f"file://{folder}"):
        check_available(Source(weights, needed=("config.json", "*.bin")))
        with pytest.raises(WeightsError, match=r"model holds no \*.safetensors"):
            check_available(Source(weights, needed=("config.json", "*.safetensors")))
    assert not (tmp_path / "cache").exists()


def test_patterns_select_files_below_a_folder(folder, tmp_path):
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/models/chosen", recursive=True)
    copies = download("memory://models/chosen", tmp_path / "to", ("*.json",))
    assert copies == [tmp_path / "to/config.json"]
    copies = download("memory://models/chosen", tmp_path / "to", ("unet/*.json", "*.bin"))
    assert copies == [tmp_path / "to/model.bin", tmp_path / "to/unet/config.json"]
    assert all(copy.is_file() for copy in copies)
    with pytest.raises(FileNotFoundError, match=r"it has none of \*.pt"):
        download("memory://models/chosen", tmp_path / "to", ("*.pt",))


def test_a_single_remote_file_is_copied_under_its_name(folder, tmp_path):
    copies = download(f"file://{folder}/model.bin", tmp_path / "to", ("*.json",))
    assert copies == [tmp_path / "to/model.bin"] and copies[0].read_bytes() == b"x"


def test_remote_names_cannot_leave_the_local_folder(tmp_path, monkeypatch):
    memory = fsspec.filesystem("memory")
    memory.pipe("/models/sly/a.json", b"{}")
    monkeypatch.setattr(
        type(memory), "find", lambda self, root: [f"{root}/../../evil.json", f"{root}/a.json"]
    )
    with pytest.raises(ValueError, match="lies outside"):
        download("memory://models/sly", tmp_path / "to")
    assert not (tmp_path / "to").exists()
