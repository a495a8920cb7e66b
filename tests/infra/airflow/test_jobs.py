import shlex

import pytest
import requests

from strmatch_airflow.jobs import (
    JobFailed,
    Watch,
    ensure,
    entrypoint,
    last_lines,
    submission_id,
)
from strmatch_airflow.jobs_api import JobsApi, JobsApiError
from tests.infra.airflow.servers import RayJobsServer, serve


@pytest.fixture
def ray():
    return RayJobsServer()


@pytest.fixture
def api(ray):
    with serve(ray, token="hush") as address:
        yield JobsApi(address, "hush")


def test_a_job_id_depends_on_dag_task_partition_and_output():
    one = submission_id("nightly", "edit", "2026-01-01", "s3://b/out")
    assert one == submission_id("nightly", "edit", "2026-01-01", "s3://b/out")
    others = {
        submission_id("hourly", "edit", "2026-01-01", "s3://b/out"),
        submission_id("nightly", "again", "2026-01-01", "s3://b/out"),
        submission_id("nightly", "edit", "2026-01-02", "s3://b/out"),
        submission_id("nightly", "edit", "2026-01-01", "s3://b/other"),
        submission_id("nightlyedit", "", "2026-01-01", "s3://b/out"),
    }
    assert len({one, *others}) == 6
    # KubeRay requires RayJob names to be DNS labels of at most 47 characters.
    assert len(one) <= 47 and one.replace("-", "").isalnum() and one[0].isalpha()


def test_the_command_is_quoted_for_a_shell():
    command = entrypoint("s3://b/it's in", "s3://b/out", "lavie", ["edit.lam=0.1", "a.b=x $y"])
    assert shlex.split(command) == [
        *("strmatch", "run", "--input", "s3://b/it's in", "--output", "s3://b/out"),
        *("--preset", "lavie", "--set", "edit.lam=0.1", "--set", "a.b=x $y"),
    ]


def test_a_job_is_submitted_only_once(ray, api):
    assert ensure(api, "x", "strmatch run", "out", {"env_vars": {"A": "1"}}) == "submitted"
    assert ray.submitted[0]["entrypoint"] == "strmatch run"
    assert ray.submitted[0]["metadata"] == {"output": "out"}
    environment = ray.submitted[0]["runtime_env"]["env_vars"]
    assert environment["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0" and environment["A"] == "1"
    assert ensure(api, "x", "strmatch run", "out") == "attached"
    ray.jobs["x"]["status"] = "RUNNING"
    assert ensure(api, "x", "strmatch run", "out") == "attached"
    assert len(ray.submitted) == 1


@pytest.mark.parametrize("end", ["FAILED", "STOPPED", "SUCCEEDED"])
def test_a_job_that_ended_without_a_dataset_is_submitted_again(ray, api, end):
    ensure(api, "x", "strmatch run", "out")
    ray.jobs["x"]["status"] = end
    assert ensure(api, "x", "strmatch run", "out") == "submitted"
    assert len(ray.submitted) == 2 and ray.jobs["x"]["status"] == "PENDING"


def test_a_submission_that_loses_a_race_attaches_to_the_other_job(ray, api, monkeypatch):
    ensure(api, "x", "strmatch run", "out")
    answers = iter([None])
    really = api.get
    monkeypatch.setattr(api, "get", lambda job: next(answers, really(job)))
    assert ensure(api, "x", "strmatch run", "out") == "attached"
    assert len(ray.submitted) == 1


def test_watching_reports_the_end_of_a_job(ray, api):
    ensure(api, "x", "strmatch run", "out")
    watch = Watch(api, "x")
    assert watch.look() is False
    ray.jobs["x"]["status"] = "SUCCEEDED"
    assert watch.look() is True


def test_a_failed_job_is_reported_with_its_last_log_lines(ray, api):
    ensure(api, "x", "strmatch run", "out")
    log = "".join(f"line {number}\n" for number in range(100))
    ray.jobs["x"] |= {"status": "FAILED", "message": "exit code 1", "log": log}
    with pytest.raises(JobFailed) as failed:
        Watch(api, "x").look()
    lines = str(failed.value).splitlines()
    assert lines[0] == "job x: FAILED: exit code 1"
    assert lines[1:] == [f"line {number}" for number in range(80, 100)]
    assert last_lines(api, "nobody").startswith("(its log cannot be read: HTTP 404")


def test_watching_survives_a_restart_of_the_head_but_not_the_loss_of_the_job(ray, api):
    ensure(api, "x", "strmatch run", "out")
    watch = Watch(api, "x", patience=60)
    ray.broken = 2
    assert watch.look() is False and watch.look() is False
    assert watch.look() is False and ray.broken == 0
    ray.broken = 1
    with pytest.raises(JobFailed, match="cannot be watched: HTTP 503: the head is restarting"):
        Watch(api, "x", patience=-1).look()
    ray.jobs.clear()
    with pytest.raises(JobFailed, match="job x is unknown to the cluster"):
        watch.look()


def test_an_expired_token_is_reported_immediately(ray):
    with serve(ray, token="new") as address:
        api = JobsApi(address, "old")
        with pytest.raises(JobsApiError, match="HTTP 401.*is the token"):
            ensure(api, "x", "strmatch run", "out")
        with pytest.raises(JobFailed, match="is the token"):
            Watch(api, "x").look()
    with pytest.raises(requests.ConnectionError):
        api.get("x")
