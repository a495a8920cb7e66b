import pytest

from jobs.evaluation.proof import projection
from jobs.evaluation.proof.settings import FULL, QUICK, SETTINGS
from jobs.evaluation.proof.trainings import planned
from pipelines.storage import Storage


@pytest.fixture
def output(tmp_path, monkeypatch):
    monkeypatch.setattr(projection, "_seconds_a_step", lambda: 0.01)
    monkeypatch.setattr(projection, "_seconds_a_clip", lambda setting, seed: 11.0)
    monkeypatch.setattr(projection, "default_processes", lambda: 2)
    return Storage(str(tmp_path))


def test_edits_and_trainings_are_projected(output):
    trainings = len(planned(SETTINGS[0], QUICK)) * QUICK.steps * 0.01
    edits = QUICK.clips * (11.0 + 3 * projection.AROUND_AN_EDIT)
    minutes = projection.projected_minutes(SETTINGS, QUICK, output, 0)
    assert minutes == pytest.approx(2 * (trainings + edits) / 60 / 2)


def test_biases_need_edits_of_the_clips_in_which_they_differ(output, monkeypatch):
    monkeypatch.setattr(projection, "_seconds_a_step", lambda: 0.0)
    minutes = projection.projected_minutes(SETTINGS[:1], FULL, output, 0)
    assert minutes == pytest.approx(FULL.clips * 1.09 * 20 / 60 / 2)


def test_what_is_done_takes_no_time(output):
    setting, *_ = SETTINGS
    for training in planned(setting, QUICK):
        output.write(training.name, b"{}")
    output.write(f"runs/{setting.name}/_SUCCESS", b"")
    assert projection.projected_minutes((setting,), QUICK, output, 0) == 0
