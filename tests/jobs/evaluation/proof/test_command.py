"""The whole experiment with few clips, steps and seeds, and real runs of all editors."""

import json

import pytest

from jobs.evaluation.proof import command
from jobs.evaluation.proof.arms import ARMS, ORACLE
from jobs.evaluation.proof.edits import EDITORS
from jobs.evaluation.proof.settings import MAIN_BIAS, SETTINGS, Sizes
from jobs.evaluation.report import as_json
from pipelines.errors import RunError
from pipelines.storage import Storage

SIZES = Sizes(clips=4, test_clips=8, seeds=1, steps=2, biases=(MAIN_BIAS,), ratios=(0.0, 1.0, 2.0))
FAST = ("edit.num_inference_steps=2", "edit.guided_share=1", "measure.metrics=[frame_consistency]")
FAST += ("publish.limits=null",)


@pytest.mark.slow
def test_every_arm_is_measured_and_nothing_is_done_twice(ray_cluster, tmp_path, monkeypatch):
    storage, setting = Storage(str(tmp_path / "out")), SETTINGS[1]
    monkeypatch.setattr(command, "projected_minutes", lambda *_: 1.0)

    def run():
        found = command.run_experiment(storage, (setting,), SIZES, 3, FAST) | {"quick": True}
        command._write(storage, found)
        return json.loads(as_json(found))

    found = run()
    figures = found["settings"]["figure"]
    assert list(figures["arms"]) == list(ARMS) and list(figures["edits"]) == list(EDITORS)
    for edits in figures["edits"].values():
        assert edits["edits"] == SIZES.clips and edits["ok"]["value"] == 1
    for arm in figures["arms"].values():
        assert 0 <= arm["conflicting"]["low"] <= arm["conflicting"]["high"] <= 1
    assert json.loads(storage.read("prove.json")) == found
    page = storage.read("index.html").decode()
    assert all(arm in page for arm in ARMS) and "A quick run" in page

    trainings = storage.find("trainings", ".json")
    assert len(trainings) == len(ARMS) + 1
    lost = next(name for name in trainings if f"arm{list(ARMS).index(ORACLE):02d}" in name)
    before, content = storage.find("runs", ""), storage.read(lost)
    storage.remove(lost)
    monkeypatch.setattr("jobs.runs.editors.open_run", None)
    again = run()
    assert storage.read(lost) == content and storage.find("runs", "") == before
    assert again | {"seconds": 0} == found | {"seconds": 0}
    with pytest.raises(RunError, match="another seed: repeat"):
        command.run_experiment(storage, (setting,), SIZES, 4, FAST)
