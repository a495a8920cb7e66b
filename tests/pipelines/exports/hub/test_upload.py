"""Uploads to a local server that speaks the Hub's API, with its faults."""

import hashlib
import io
import shutil

import huggingface_hub
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants

from pipelines.errors import RunError
from pipelines.exports.edits import PublishedDataset
from pipelines.exports.hub.upload import HubExport
from pipelines.storage import Storage
from tests.hub_uploads import UploadHub

REPO = "owner/edits"
CARD = """---
license: cc-by-4.0
tags: [mine]
---

# A title

```python
folder = '/where/the/run/was'
```
"""


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with UploadHub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


@pytest.fixture
def output(published, tmp_path):
    output = Storage(str(shutil.copytree(published.output.uri, tmp_path / "run")))
    output.write("README.md", CARD.encode())
    output.write("report/index.html", b"<html>")
    output.write("report/clips/a.mp4", b"1" * 1000)
    return output


def upload(output, token="right", **choices):
    export = HubExport(PublishedDataset(output), REPO, token=token, **choices)
    return export, list(export.upload(private=True))


def digests(output):
    names = output.find("dataset", ".parquet")
    return sorted(hashlib.sha256(output.read(name)).hexdigest() for name in names)


def assert_whole(hub, output, branch="main"):
    """The branch holds the files of the output and nothing else."""
    files = hub.datasets[REPO].branches[branch]
    names = output.find("dataset", ".parquet")
    assert files.keys() == {".gitattributes", "README.md", *names}
    assert all(files[name] == output.read(name) for name in names)


def test_files_come_with_one_commit_into_a_private_repository(hub, output):
    export, sent = upload(output)
    (commit,) = hub.datasets[REPO].commits
    assert export.commit == commit["oid"]
    assert commit["summary"] == f"Publish dataset {export.dataset.identity}"
    assert hub.datasets[REPO].private
    assert_whole(hub, output)
    assert sorted(hub.received) == digests(output)
    assert {row["file"]: row["bytes"] for row in sent} == export.files


def test_the_same_export_again_sends_nothing(hub, output):
    upload(output)
    before = list(hub.received)
    export, sent = upload(output)
    assert (export.commit, sent) == (None, [])
    assert hub.received == before and len(hub.datasets[REPO].commits) == 1


def test_the_card_has_the_types_of_columns_and_what_a_person_added(hub, output):
    file = output.read("dataset/part-00000.parquet")
    output.remove("dataset")
    output.write("dataset/split=test/part-00000.parquet", file)
    upload(output)
    card = huggingface_hub.DatasetCard(hub.datasets[REPO].branches["main"]["README.md"].decode())
    data = card.data.to_dict()
    assert data["license"] == "cc-by-4.0"
    assert {"mine", "str-match"} <= set(data["tags"])
    types = {each["name"]: each.get("dtype") for each in data["dataset_info"]["features"]}
    assert types["edited_video"] == types["source_video"] == "video"
    assert list(types) == pq.read_schema(io.BytesIO(file)).names
    assert (
        card.text.lstrip() == '# A title\n\n```python\nfolder = "hf://datasets/owner/edits"\n```\n'
    )


def test_a_dataset_without_a_card_gets_its_metadata(hub, output):
    output.remove("README.md")
    upload(output)
    card = hub.datasets[REPO].branches["main"]["README.md"].decode()
    assert huggingface_hub.DatasetCard(card).data.to_dict()["pretty_name"] == "edits"
    assert card.endswith("\n# edits\n")


def test_an_error_of_any_request_is_survived(hub, output):
    upload(output)
    for place, (method, path, _) in enumerate(list(hub.requests)):
        hub.datasets.clear(), hub.stored.clear(), hub.received.clear()
        hub.failures += [0] * place + [(500, 429, 503)[place % 3]]
        upload(output)
        assert not hub.failures, (method, path)
        assert_whole(hub, output)
        assert sorted(hub.received) == digests(output), (method, path)
        assert len(hub.datasets[REPO].commits) == 1, (method, path)


def test_an_upload_that_is_cut_is_sent_again(hub, output):
    hub.cut_after = 1000
    upload(output)
    assert (hub.cut_after, [each for each in hub.requests if each[2] == "cut"] != []) == (
        None,
        True,
    )
    assert_whole(hub, output)
    assert sorted(hub.received) == digests(output)


def test_a_commit_without_an_answer_is_made_once(hub, output):
    hub.lost_answers = 1
    export, _ = upload(output)
    assert_whole(hub, output)
    assert [commit["oid"] for commit in hub.datasets[REPO].commits] == [export.commit]


def test_a_lasting_error_is_one_line(hub, output):
    hub.failures.append(-500)
    with pytest.raises(RunError) as caught:
        upload(output)
    assert str(caught.value) == f"{hub.url} answers 500 for {REPO}"


@pytest.mark.parametrize("token", ["wrong", None])
def test_an_account_without_rights_is_told_so(hub, output, token):
    with pytest.raises(RunError, match="no right to write owner/edits \\(401\\): set HF_TOKEN"):
        upload(output, token=token)
    assert not hub.datasets


def test_a_dataset_that_changed_replaces_the_files_of_the_earlier_one(hub, output):
    upload(output)
    output.remove("dataset/part-00002.parquet")
    output.write("dataset/part-00001.parquet", output.read("dataset/part-00000.parquet"))
    _, sent = upload(output)
    assert_whole(hub, output)
    assert hub.datasets[REPO].commits[-1]["removed"] == ["dataset/part-00002.parquet"]
    assert [row["file"] for row in sent] == ["dataset/part-00001.parquet"]


@pytest.mark.parametrize("others", [["train.csv", "README.md"], ["dataset/part-00000.parquet"]])
def test_a_repository_of_others_is_left_alone(hub, output, others):
    huggingface_hub.HfApi(token="right").create_repo(REPO, repo_type="dataset")
    for name in others:
        hub.datasets[REPO].branches["main"][name] = b"---\ntags: [cats]\n---\n"
    before = dict(hub.datasets[REPO].branches["main"])
    with pytest.raises(RunError, match="holds files that strmatch did not write: name another"):
        upload(output)
    assert hub.datasets[REPO].branches["main"] == before and not hub.received


def test_a_repository_that_holds_a_card_alone_is_filled(hub, output):
    huggingface_hub.HfApi(token="right").create_repo(REPO, repo_type="dataset")
    hub.datasets[REPO].branches["main"]["README.md"] = b"---\nlicense: mit\n---\n"
    upload(output)
    assert_whole(hub, output)


def test_a_branch_is_made_and_the_report_comes_if_asked_for(hub, output):
    upload(output, revision="v2", report=True)
    branches = hub.datasets[REPO].branches
    assert branches["main"].keys() == {".gitattributes"}
    assert branches["v2"]["report/index.html"] == b"<html>"
    assert branches["v2"]["report/clips/a.mp4"] == b"1" * 1000


def test_a_dataset_in_an_object_store_is_uploaded_alike(hub, output):
    there = Storage("memory://bucket/run")
    for folder in ("dataset", "report"):
        for name in output.find(folder, ""):
            there.write(name, output.read(name))
    there.write("README.md", CARD.encode())
    upload(there, report=True)
    there.remove("")
    by_memory = hub.datasets.pop(REPO)
    upload(output, report=True)
    assert by_memory.branches == hub.datasets[REPO].branches
