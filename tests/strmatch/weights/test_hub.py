"""Models of the hub, from a local server that speaks the hub's API."""

import logging

import pytest
from huggingface_hub import constants

from strmatch.weights.errors import WeightsError
from strmatch.weights.hub import hub_snapshot, list_hub_files
from strmatch.weights.locate import check_available, local_folder
from strmatch.weights.source import Access, Source
from tests.hub import SIGNATURE, Hub

NAME = "owner/model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SOURCE = Source(NAME, COMMIT)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "config.json").write_text('{"a": 1}')
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 400)
    (folder / "code.py").write_text("raise RuntimeError")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    with Hub() as served:
        served.add(f"{NAME}@{COMMIT}", folder)
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            served.url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        yield served


def published(hub, name):
    return (hub.models[NAME][1] / name).read_bytes()


def test_the_files_of_a_pinned_model_are_fetched_once(hub):
    listed = {file.name: (file.size, file.cached) for file in list_hub_files(SOURCE)}
    assert listed == {"config.json": (8, False), "model.safetensors": (102_400, False)}
    folder = hub_snapshot(SOURCE)
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}
    for path in folder.iterdir():
        assert path.read_bytes() == published(hub, path.name)
    assert not any(path.endswith(".py") for _, path, _ in hub.requests)
    named = [path for _, path, _ in hub.requests if NAME in path and "/signed/" not in path]
    assert named and all(COMMIT in path for path in named)
    hub.requests.clear()
    assert local_folder(SOURCE) == local_folder(SOURCE, Access(offline=True)) == folder
    check_available(SOURCE)
    assert not hub.requests


def refused(*words, use=hub_snapshot, source=SOURCE, **options):
    with pytest.raises(WeightsError) as error:
        use(source, **options)
    message = str(error.value)
    assert "\n" not in message and SIGNATURE not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("use", [hub_snapshot, check_available])
def test_what_is_missing_is_named(hub, use):
    none = Source("owner/none", COMMIT)
    refused("shows no model owner/none", "HF_TOKEN", use=use, source=none)
    other = Source(NAME, "f" * 40)
    refused(f"{NAME} on {hub.url} has no commit ffff", use=use, source=other)
    pickle = Source(NAME, COMMIT, needed=("*.pt",))
    refused(f"{NAME} at {COMMIT} on the hub holds no *.pt", use=use, source=pickle)


def test_a_gated_model_needs_a_token(hub, monkeypatch):
    hub.gated.add(NAME)
    refused(f"accept the terms at {hub.url}/{NAME}", "set HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN", "right")
    assert (hub_snapshot(SOURCE) / "config.json").is_file()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_requests_that_the_hub_limits_or_fails_are_repeated(hub, status):
    hub.failures += [status, status]
    assert (hub_snapshot(SOURCE) / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("status", "words"),
    [(429, ("limits the rate of requests", "HF_TOKEN")), (500, ("answers 500", "later"))],
)
def test_lasting_failures_of_the_hub_are_told_in_one_line(hub, status, words):
    hub.failures.append(-status)
    refused(NAME, *words)


def test_a_download_that_breaks_is_resumed(hub, monkeypatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    hub.broken_after = 45_000
    folder = hub_snapshot(SOURCE)
    assert (folder / "model.safetensors").read_bytes() == published(hub, "model.safetensors")
    resumed = [wanted for _, path, wanted in hub.requests if "/signed/" in path and wanted]
    assert resumed == ["bytes=40000-"]


def test_weights_in_several_files_are_cached_when_all_of_them_are(hub):
    folder = hub.models[NAME][1]
    shards = [f"model-{n:05d}-of-00003.safetensors" for n in (1, 2, 3)]
    for number, shard in enumerate(shards):
        (folder / shard).write_bytes(bytes([number]) * 1000)
    snapshot = hub_snapshot(SOURCE)
    (snapshot / shards[1]).unlink()  # as after a download that was interrupted
    refused("is not in the cache", offline=True)
    assert (hub_snapshot(SOURCE) / shards[1]).read_bytes() == published(hub, shards[1])
    (snapshot / shards[0]).unlink()
    refused(f"holds no {shards[0]}", use=check_available, source=Source(str(snapshot)))


def test_a_file_that_is_not_the_listed_one_is_removed(hub):
    hub.tampered.add("model.safetensors")
    refused("model.safetensors", "SHA-256", "run the same command")
    hub.tampered.clear()
    folder = hub_snapshot(SOURCE)
    assert (folder / "model.safetensors").read_bytes() == published(hub, "model.safetensors")


@pytest.mark.parametrize("use", [local_folder, check_available])
def test_offline_permits_no_request(hub, use):
    refused("is not in the cache", "--offline", use=use, access=Access(offline=True))
    assert not hub.requests


def test_without_a_network_the_error_says_what_to_do(hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    refused("cannot be fetched", "--offline", "--weights")


def test_no_signed_address_is_logged(hub, caplog, capfd):
    caplog.set_level(logging.INFO)
    hub.broken_after = 40_000
    hub_snapshot(SOURCE)
    assert any(SIGNATURE in path for _, path, _ in hub.requests)
    shown = capfd.readouterr()
    assert SIGNATURE not in shown.out + shown.err + caplog.text
