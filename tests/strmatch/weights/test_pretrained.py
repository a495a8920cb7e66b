import shutil

import pytest

from strmatch.weights.errors import WeightsError
from strmatch.weights.pretrained import TRANSFORMERS, find_folder


def test_a_folder_is_taken_as_it_is_and_a_uri_is_fetched_once(tmp_path, monkeypatch):
    monkeypatch.setenv("STRMATCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert find_folder(str(folder), None, TRANSFORMERS) == folder
    fetched = find_folder(f"file://{folder}", None, TRANSFORMERS)
    assert (fetched / "config.json").read_text() == "{}"
    assert fetched != folder
    shutil.rmtree(folder)
    assert find_folder(f"file://{folder}", None, TRANSFORMERS) == fetched


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("someone/some-model", "to take it from the hub, name the commit as revision"),
        ("/nowhere/model", "there is no folder /nowhere/model, and it is no hub id either"),
        ("model", "there is no folder model, and it is no hub id either"),
    ],
)
def test_weights_that_are_nowhere_or_not_pinned_are_refused(weights, message):
    with pytest.raises(WeightsError, match=message):
        find_folder(weights, None, TRANSFORMERS)
