import json

import numpy as np
import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.evaluation.proof.own_data.command import conclusion, prove_on
from jobs.evaluation.proof.own_data.trainings import result_file
from jobs.evaluation.report import as_json
from pipelines.errors import RunError
from pipelines.storage import Storage
from tests.jobs.evaluation.proof.own_data.rendered import MOTIONS, write_dataset, write_folders

STEPS, SEEDS = 60, 3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_folders(tmp_path_factory.mktemp("test"))


def prove(dataset, test, output, label="label", seeds=SEEDS, steps=STEPS, features="small"):
    return prove_on(dataset, label, test, features, seeds, str(output), None, steps)


@pytest.mark.slow
def test_edits_that_break_a_shortcut_gain_and_a_stopped_experiment_continues(
    dataset, folders, tmp_path, capsys
):
    found = prove(dataset, folders, tmp_path / "out")
    assert (found["clips"], found["edits"], found["test_clips"]) == (12, 12, 12)
    assert found["classes"] == list(MOTIONS)
    assert found["without"].value < 0.3 and found["with"].value > 0.7
    assert found["gain"].value == pytest.approx(found["with"].value - found["without"].value)
    assert found["gain"].low > 0 and "the edits help" in capsys.readouterr().out

    output = Storage(str(tmp_path / "out"))
    assert json.loads(output.read("prove.json")) == json.loads(as_json(found))
    before = {name: output.read(name) for name in output.find("trainings", ".json")}
    output.remove(result_file("with", 1))
    assert as_json(prove(dataset, folders, tmp_path / "out")) == as_json(found)
    assert {name: output.read(name) for name in output.find("trainings", ".json")} == before
    with pytest.raises(RunError, match="another label: repeat"):
        prove(dataset, folders, tmp_path / "out", label="meta.what.motion")


def test_labels_that_do_not_make_an_experiment_are_refused_in_a_line(dataset, folders, tmp_path):
    def refused(message, dataset=dataset, test=folders, **choices):
        with pytest.raises(RunError, match=message):
            prove(dataset, test, tmp_path / "out", **choices)
        assert not (tmp_path / "out" / "experiment.json").exists()

    refused("has no column action for --label; it has label, meta, ", label="action")
    refused("row 0-ok: no label in meta.who", label="meta.who")
    one = write_dataset(tmp_path / "one", label=lambda motion: "walk")
    refused("all clips have the label walk", dataset=one)
    up = write_dataset(tmp_path / "up", label=lambda motion: "up", first=40)
    refused("label up is in no clip of", test=up)
    refused("is in the training set", test=dataset)
    (tmp_path / "empty").mkdir()
    refused("no videos found there", test=str(tmp_path / "empty"))
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "a.mp4").write_bytes(b"")
    refused("a.mp4 is in no folder", test=str(flat))
    (flat / "left").mkdir()
    (flat / "a.mp4").rename(flat / "left" / "a.mp4")
    refused("left/a.mp4: EmptyFile", test=str(flat))
    refused("--features .*: there is no folder", features=str(tmp_path / "none"))


def test_the_command_reads_its_options(dataset, folders, tmp_path):
    def invoke(*options):
        return CliRunner().invoke(app, ["prove", "--output", str(tmp_path / "out"), *options])

    assert invoke("--label", "label").exit_code == 1
    assert invoke("--dataset", dataset, "--test", folders).exit_code == 1
    found = invoke("--dataset", dataset, "--label", "nothing", "--test", folders)
    assert found.exit_code == 1


def test_the_conclusion_is_that_of_the_interval():
    from jobs.evaluation.figures import Figure

    assert conclusion(Figure(0.1, 0.05, 0.2)) == "the edits help"
    assert conclusion(Figure(-0.1, -0.2, -0.05)) == "the edits harm"
    assert "contains 0" in conclusion(Figure(0.1, -0.1, 0.3))
    assert "contains 0" in conclusion(Figure(*np.zeros(3)))
