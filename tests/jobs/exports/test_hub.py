"""The command that uploads to the Hub, against a local server, in processes of their own."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from pipelines.config.loading import load_config
from pipelines.publishing.card import write_card
from pipelines.storage import Storage
from pipelines.tables.outcomes import OutcomeCounter
from tests.hub_uploads import UploadHub
from tests.pipelines.publishing.test_card import RECORD
from tests.pipelines.support.datasets import write_dataset

TOKEN = "hf_do_not_show"
PROGRAM = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
TYPES = """
loaded = datasets.load_dataset(folder, split="train")
for name, count in (("source_video", 36), ("edited_video", 29)):
    assert isinstance(loaded.features[name], datasets.Video)
    assert sum(row[name] is not None for row in rows.select_columns(name)) == count
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    output = tmp_path_factory.mktemp("run")
    storage = Storage(str(output))
    write_dataset(storage)
    config = load_config(assignments=["measure.metrics=[changed]", "publish.limits=null"])
    counter = OutcomeCounter(config.publish.bounds)
    for name in storage.find("dataset", ".parquet"):
        counter.add(storage.read_table(name))
    write_card(storage, config, RECORD.model_copy(update={"outcomes": counter.result()}))
    return output


@pytest.fixture
def environment(tmp_path):
    with UploadHub(token=TOKEN) as hub:
        given = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
        yield hub, os.environ | given | {"HF_HOME": str(tmp_path / "cache")}


def begin(environment, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "export", "hub", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_killed_upload_continues_without_sending_a_file_twice(output, environment):
    """The connection of the second upload breaks once. No signed address is shown."""
    hub, variables = environment
    hub.most_received = 2
    killed = begin(variables, output, "--repo", "owner/edits")
    deadline = time.monotonic() + 60
    while len(hub.received) < 2 and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(hub.received) == 2 and not hub.datasets["owner/edits"].commits
    hub.most_received, hub.cut_after = None, 1000
    shown, _ = (again := begin(variables, output, "--repo", "owner/edits")).communicate()
    assert again.returncode == 0, shown
    assert any(outcome == "cut" for _, _, outcome in hub.requests)
    assert len(hub.received) == len(set(hub.received)) == 3
    (commit,) = hub.datasets["owner/edits"].commits
    assert f"owner/edits at main: commit {commit['oid']}, 4 files with " in shown
    assert TOKEN not in shown and "Signature" not in shown


@pytest.mark.slow
def test_the_programs_of_the_card_read_the_repository(output, environment):
    hub, variables = environment
    shown, _ = begin(variables, output, "--repo", "owner/edits").communicate()
    assert "commit" in shown, shown
    card = hub.datasets["owner/edits"].branches["main"]["README.md"].decode()
    by_datasets, *others = PROGRAM.findall(card)
    assert len(others) == 3
    for program in (by_datasets + TYPES, *others):
        ended = subprocess.run(
            [sys.executable, "-c", program], env=variables, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stderr


def call(*arguments, **variables):
    runner = CliRunner(env={"COLUMNS": "200", "HF_TOKEN": None, **variables})
    return runner.invoke(app, ["export", "hub", *map(str, arguments)])


def test_a_dry_run_lists_files_and_bytes_without_a_token(output):
    shown = call(output, "--repo", "owner/edits", "--dry-run")
    assert shown.exit_code == 0, shown.output
    *files, total = shown.stdout.splitlines()
    sizes = {line.split()[1]: int(line.split()[0].replace(",", "")) for line in files}
    names = [f"dataset/part-0000{number}.parquet" for number in range(3)]
    assert list(sizes) == [*names, "README.md"]
    assert [sizes[name] for name in names] == [(output / name).stat().st_size for name in names]
    assert f"{sum(sizes.values()):,} bytes, 4 files to owner/edits at main" in total


@pytest.mark.parametrize(
    ("repository", "said"),
    [
        ("edits", "--repo edits: write owner/name"),
        ("owner/a b", "--repo owner/a b: Repo id must use alphanumeric chars"),
        ("owner/edits", "HF_TOKEN is not set: set it to a token with write access to owner/edits"),
    ],
)
def test_wrong_arguments_end_in_one_line(output, repository, said):
    ended = call(output, "--repo", repository)
    assert ended.exit_code == 1
    assert said in ended.stderr and len(ended.stderr.splitlines()) == 1
