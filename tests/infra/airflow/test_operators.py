"""The operators and triggers as Airflow calls them, against local servers."""

import asyncio
import json
from types import SimpleNamespace

import pytest

pytest.importorskip("airflow", reason="make test-airflow has Airflow")
import yaml
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, TaskDeferred

from strmatch_airflow.dataset_operator import partition
from strmatch_airflow.jobs import submission_id
from strmatch_airflow.rayjob_operator import RayJobOperator, RayJobTrigger
from strmatch_airflow.submit_operator import JobTrigger, StrMatchSubmitOperator
from tests.infra.airflow.conftest import ROOT
from tests.infra.airflow.servers import RayJobObjects, RayJobsServer, serve


def context(key="2026-01-01"):
    return {"dag_run": SimpleNamespace(partition_key=key, logical_date=None, run_id="manual")}


def defer(operator):
    """Execute an operator until it defers. Return its trigger after serialization."""
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context())
    assert deferred.value.method_name == "finish"
    path, arguments = deferred.value.trigger.serialize()
    kind = {"JobTrigger": JobTrigger, "RayJobTrigger": RayJobTrigger}[path.rpartition(".")[2]]
    return kind(**json.loads(json.dumps(arguments)))


def event(trigger):
    """The event that a trigger fires within seconds."""

    async def first():
        async for fired in trigger.run():
            return fired.payload

    return asyncio.run(asyncio.wait_for(first(), 20))


def test_the_partition_is_the_key_or_the_date_or_the_run_id():
    assert partition(context()) == "2026-01-01"
    run = context(None)["dag_run"]
    assert partition({"dag_run": run}) == "manual"


class TestJobs:
    @pytest.fixture
    def ray(self, monkeypatch):
        ray = RayJobsServer()
        with serve(ray, token="hush") as address:
            connection = {"conn_type": "http", "host": address, "password": "hush"}
            monkeypatch.setenv("AIRFLOW_CONN_RAY_DEFAULT", json.dumps(connection))
            yield ray

    @pytest.fixture
    def operator(self, tmp_path):
        with DAG("nightly", schedule=None):
            return StrMatchSubmitOperator(
                task_id="edit",
                input_uri="s3://b/in",
                output_uri=str(tmp_path),
                settings=["edit.lam=0.5"],
                poll_seconds=0.1,
            )

    def test_a_job_is_submitted_and_watched_until_it_succeeds(self, ray, operator, tmp_path):
        trigger = defer(operator)
        job = submission_id("nightly", "edit", "2026-01-01", str(tmp_path))
        assert list(ray.jobs) == [job] and trigger.name == job
        assert ray.submitted[0]["entrypoint"] == (
            f"strmatch run --input s3://b/in --output {tmp_path} --set edit.lam=0.5"
        )
        ray.jobs[job]["status"] = "SUCCEEDED"
        assert operator.finish(context(), event(trigger)) == str(tmp_path)

    def test_a_retry_attaches_to_the_running_job(self, ray, operator):
        defer(operator)
        defer(operator)
        assert len(ray.submitted) == 1

    def test_a_failed_job_is_reported_with_its_log(self, ray, operator):
        trigger = defer(operator)
        ray.jobs[trigger.name] |= {"status": "FAILED", "log": "strmatch: no GPU\n"}
        with pytest.raises(AirflowException, match="FAILED: queued\nstrmatch: no GPU"):
            operator.finish(context(), event(trigger))

    def test_a_complete_dataset_starts_no_job(self, ray, operator, tmp_path):
        (tmp_path / "_SUCCESS").touch()
        assert operator.execute(context()) == str(tmp_path)
        assert not ray.submitted

    def test_a_non_deferrable_operator_polls_until_the_job_succeeds(self, ray, operator):
        operator.deferrable = False
        with pytest.MonkeyPatch.context() as patched:

            def succeed(seconds):
                next(iter(ray.jobs.values()))["status"] = "SUCCEEDED"

            patched.setattr("strmatch_airflow.dataset_operator.time.sleep", succeed)
            assert operator.execute(context()) == operator.output_uri

    @pytest.mark.parametrize("waiting", [False, True])
    def test_killing_the_task_stops_its_job(self, ray, operator, waiting):
        trigger = defer(operator)
        if waiting:
            asyncio.run(trigger.on_kill())
        else:
            operator.on_kill()
        assert ray.jobs[trigger.name]["status"] == "STOPPED"


class TestRayJobs:
    @pytest.fixture
    def cluster(self, monkeypatch):
        """A Kubernetes server and its connection, whose token can be changed separately."""
        cluster = SimpleNamespace(objects=RayJobObjects(), token="first")
        with serve(cluster.objects, token=lambda: cluster.token) as address:

            def know(token):
                config = {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "it",
                    "clusters": [{"name": "it", "cluster": {"server": address}}],
                    "users": [{"name": "me", "user": {"token": token}}],
                    "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
                }
                extra = {"kube_config": json.dumps(config)}
                connection = {"conn_type": "kubernetes", "extra": json.dumps(extra)}
                monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))

            cluster.know = know
            know("first")
            yield cluster

    @pytest.fixture
    def operator(self, tmp_path):
        manifest = yaml.safe_load((ROOT / "infra/kuberay/base/rayjob.yaml").read_text())
        with DAG("nightly", schedule=None):
            return RayJobOperator(
                task_id="edit",
                manifest=manifest,
                namespace="videos",
                input_uri="s3://b/in",
                output_uri=str(tmp_path),
                poll_seconds=0.1,
            )

    def test_a_rayjob_is_created_and_watched_until_it_succeeds(self, cluster, operator, tmp_path):
        trigger = defer(operator)
        (made,) = cluster.objects.created
        assert made["metadata"]["name"] == trigger.name
        assert made["spec"]["entrypoint"] == (f"strmatch run --input s3://b/in --output {tmp_path}")
        assert made["spec"]["backoffLimit"] == 2
        cluster.objects.end(trigger.name, "Complete", "SUCCEEDED")
        assert operator.finish(context(), event(trigger)) == str(tmp_path)

    def test_a_retry_attaches_to_the_running_job(self, cluster, operator):
        defer(operator)
        defer(operator)
        assert len(cluster.objects.created) == 1

    def test_a_failed_rayjob_is_reported_with_its_reason(self, cluster, operator):
        trigger = defer(operator)
        cluster.objects.end(trigger.name, "Failed", "FAILED", reason="AppFailed", message="exit 1")
        with pytest.raises(AirflowException, match="FAILED, AppFailed, exit 1"):
            operator.finish(context(), event(trigger))

    def test_a_token_that_expires_while_waiting_is_reloaded(self, cluster, operator):
        trigger = defer(operator)

        async def expire():
            fired = asyncio.ensure_future(anext(trigger.run()))
            await asyncio.sleep(1)
            cluster.know("second")
            cluster.token = "second"
            await asyncio.sleep(1)
            cluster.objects.end(trigger.name, "Complete", "SUCCEEDED")
            return await asyncio.wait_for(fired, 20)

        assert asyncio.run(expire()).payload == {"failed": ""}

    @pytest.mark.parametrize("waiting", [False, True])
    def test_killing_the_task_deletes_its_rayjob(self, cluster, operator, waiting):
        trigger = defer(operator)
        if waiting:
            asyncio.run(trigger.on_kill())
        else:
            operator.on_kill()
        assert not list(cluster.objects.alive())

    def test_a_complete_dataset_starts_no_job(self, cluster, operator, tmp_path):
        (tmp_path / "_SUCCESS").touch()
        assert operator.execute(context()) == str(tmp_path)
        assert not cluster.objects.created
