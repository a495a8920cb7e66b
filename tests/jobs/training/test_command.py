import shutil

import pytest
import yaml

from jobs.training.command import train_miniature
from pipelines.errors import RunError
from strmatch.presets import load_preset
from tests.jobs.training.test_recipe import PHASE, RECIPE

JOINT = {"joint": [PHASE | {"frames": 1, "clips": 4}]}
MORE = {name: value for name, value in RECIPE.items() if name != "autoencoder"}


@pytest.fixture
def begin(tmp_path):
    def call(recipe, start):
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(recipe))
        train_miniature(str(path), tmp_path / "out", start, workers=1, clips=1)

    return call


@pytest.mark.parametrize(
    ("recipe", "start", "message"),
    [
        (RECIPE, "miniature", "has an autoencoder of its own: it takes no --weights"),
        (MORE, None, "goes on from a model: name it by --weights"),
        (JOINT, None, "goes on from a model: name it by --weights"),
        (MORE, "nowhere", "nowhere is no model folder: it has no unet/"),
        (MORE | {"prediction_type": "epsilon"}, "miniature", "was trained on v_prediction"),
    ],
)
def test_a_start_that_does_not_fit_is_refused_before_any_work(
    begin, tmp_path, recipe, start, message
):
    with pytest.raises(RunError, match=message):
        begin(recipe, start)
    assert not (tmp_path / "out").exists()


def test_the_start_is_kept_though_its_folder_may_be_overwritten(begin, tmp_path, monkeypatch):
    model = tmp_path / "model"
    shutil.copytree(load_preset("miniature").weights, model)
    monkeypatch.setattr("jobs.training.command.run_workers", lambda *arguments: 1 / 0)
    for _ in range(2):  # as given first, and as found the second time
        with pytest.raises(ZeroDivisionError):
            begin(MORE, str(model))
        shutil.rmtree(model, ignore_errors=True)
    for folder in ("start", "weights"):  # what is not trained stays
        assert (tmp_path / "out" / folder / "unet" / "config.json").exists()


def test_joint_attention_keeps_no_unet_of_the_start(begin, tmp_path, monkeypatch):
    monkeypatch.setattr("jobs.training.command.run_workers", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        begin(JOINT, "miniature")
    assert (tmp_path / "out" / "start" / "vae" / "config.json").exists()
    assert not (tmp_path / "out" / "weights").exists()
