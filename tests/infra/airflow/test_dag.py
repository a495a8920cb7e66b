"""The nightly DAG on a real Airflow, against a local server with the Ray Jobs API."""

import json

import pytest

pytest.importorskip("airflow", reason="make test-airflow has Airflow")
from strmatch_airflow import jobs, submit_operator
from tests.infra.airflow.servers import RayJobsServer, serve

DAY = "2026-01-01"
pytestmark = pytest.mark.infra


@pytest.fixture
def ray(tmp_path, monkeypatch):
    """A cluster and a day whose input exists."""
    (tmp_path / "in" / DAY).mkdir(parents=True)
    (tmp_path / "in" / DAY / "_READY").touch()
    (tmp_path / "out" / DAY).mkdir(parents=True)
    monkeypatch.setenv("AIRFLOW_VAR_STRMATCH_INPUT", str(tmp_path / "in"))
    monkeypatch.setenv("AIRFLOW_VAR_STRMATCH_OUTPUT", str(tmp_path / "out"))
    ray = RayJobsServer()
    with serve(ray, token="hush") as address:
        connection = {"conn_type": "http", "host": address, "password": "hush"}
        monkeypatch.setenv("AIRFLOW_CONN_RAY_DEFAULT", json.dumps(connection))
        yield ray


def test_a_failed_job_fails_the_task_with_its_last_lines(nightly, ray, dag_test, capsys):
    ray.then = lambda job: job.update(status="FAILED", log="strmatch: no videos found there\n")
    _, states = dag_test(nightly, DAY)
    assert states["edit"] == "failed" and states["publish"] == "upstream_failed"
    said = capsys.readouterr()
    assert "strmatch: no videos found there" in said.out + said.err


def test_a_retry_attaches_to_the_running_job(nightly, ray, dag_test, tmp_path, monkeypatch):
    """The first attempt loses the connection to its job. The second attempt finds the job."""
    tries, looks = [], []
    ensure, look = submit_operator.ensure, submit_operator.Watch.look

    def submit(api, job, *arguments):
        tries.append(ensure(api, job, *arguments))
        return tries[-1]

    def lose_sight(watch):
        looks.append(watch.job)
        if len(looks) == 1:
            raise jobs.JobFailed("lost")
        output = tmp_path / "out" / DAY
        counts = {"rows": 2, "ok": 1, "rejected": 0, "failed": 1}
        (output / "run.json").write_text(json.dumps({"counts": counts}))
        (output / "_SUCCESS").touch()
        ray.jobs[watch.job]["status"] = "SUCCEEDED"
        return look(watch)

    monkeypatch.setattr(submit_operator, "ensure", submit)
    monkeypatch.setattr(submit_operator.Watch, "look", lose_sight)
    _, states = dag_test(nightly, DAY, retries=1)
    assert states == {"wait_for_input": "success", "edit": "success", "publish": "success"}
    assert tries == ["submitted", "attached"] and len(ray.submitted) == 1
