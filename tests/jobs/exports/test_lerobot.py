import pytest
from typer.testing import CliRunner

from jobs.cli import app
from pipelines.config.loading import load_config
from pipelines.sources.lerobot.dataset import open_dataset
from pipelines.storage import Storage
from pipelines.tables.record import RunRecord, write_record
from tests.pipelines.support.lerobot import WRIST, write_dataset
from tests.pipelines.support.lerobot_runs import write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lerobot")
    write_dataset(folder / "source")
    write_run(folder / "run", folder / "source", failed=[(1, WRIST)])
    return folder


def call(*arguments):
    command = ["export", "lerobot", *map(str, arguments)]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, command)


def test_the_source_is_named_or_is_the_input_of_the_run(folder, tmp_path):
    unknown = call(folder / "run", "--to", tmp_path / "to")
    assert unknown.exit_code == 1
    assert "names no input lerobot://…, name the LeRobot dataset by --source" in unknown.stderr
    named = call(folder / "run", "--to", tmp_path / "a", "--source", folder / "source")
    assert named.exit_code == 0, named.output
    told = f"{tmp_path}/a: 3 edited episodes and 4 of the source, 87 frames\n"
    left = "left out: 1 edits of an episode that are not ok in all cameras\n"
    assert told in named.stdout and left in named.stdout
    again = call(folder / "run", "--to", tmp_path / "a", "--source", folder / "source")
    assert f"{tmp_path}/a: already complete: 3 edited episodes" in again.stdout
    write_record(
        Storage(str(folder / "run")),
        RunRecord(
            input=f"lerobot://{folder}/source",
            config=load_config().model_dump(mode="json"),
            fingerprints={},
            model_revision="r1",
        ),
    )
    (folder / "run/_SUCCESS").touch()
    recorded = call(folder / "run", "--to", tmp_path / "b", "--originals", "none")
    assert recorded.exit_code == 0, recorded.output
    assert len(open_dataset(Storage(str(tmp_path / "b"))).episodes) == 3


@pytest.mark.parametrize("share", ["2", "-0.1", "some"])
def test_a_wrong_share_is_refused(folder, tmp_path, share):
    refused = call(folder / "run", "--to", tmp_path, "--originals", share)
    assert refused.exit_code == 2
    assert "want all, none, or a share from 0 to 1" in refused.stderr
