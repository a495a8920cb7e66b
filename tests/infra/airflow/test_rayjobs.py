import pytest

from tests.infra.airflow.servers import RayJobObjects, serve

kubernetes = pytest.importorskip("kubernetes.client", reason="make test-airflow has kubernetes")
from strmatch_airflow.jobs import JobFailed  # noqa: E402
from strmatch_airflow.rayjobs import RayJobs  # noqa: E402

MANIFEST = {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {"entrypoint": "strmatch run"}}


class Cluster:
    """A server whose token changes, and clients that are created with the current token."""

    def __init__(self, objects):
        self.objects = objects
        self.token = "first"
        self.connections = 0
        self.address = ""

    def connect(self):
        self.connections += 1
        settings = kubernetes.Configuration(host=self.address)
        settings.api_key = {"authorization": f"Bearer {self.token}"}
        return kubernetes.CustomObjectsApi(kubernetes.ApiClient(settings))


@pytest.fixture
def cluster():
    cluster = Cluster(RayJobObjects(linger=2))
    with serve(cluster.objects, token=lambda: cluster.token) as cluster.address:
        yield cluster


@pytest.fixture
def jobs(cluster):
    return RayJobs(cluster.connect, "videos")


def test_a_rayjob_is_created_only_once(cluster, jobs):
    assert jobs.ensure(MANIFEST, "night") == "created"
    made = cluster.objects.created[0]
    assert made["metadata"]["name"] == "night" and made["spec"] == MANIFEST["spec"]
    assert "metadata" not in MANIFEST
    assert jobs.ensure(MANIFEST, "night") == "attached"
    for state in ("Initializing", "Running", "Retrying", "Suspended"):
        cluster.objects.end("night", state, "RUNNING")
        assert jobs.ensure(MANIFEST, "night") == "attached"
        assert jobs.look("night") is False
    assert len(cluster.objects.created) == 1


@pytest.mark.parametrize("end", [("Failed", "FAILED"), ("Complete", "SUCCEEDED")])
def test_a_rayjob_that_ended_without_a_dataset_is_created_again(cluster, jobs, end):
    jobs.ensure(MANIFEST, "night")
    cluster.objects.end("night", *end)
    assert jobs.ensure(MANIFEST, "night") == "created"
    assert len(cluster.objects.created) == 2 and "status" not in cluster.objects.objects["night"]


def test_a_rayjob_that_is_not_deleted_in_time_is_reported(cluster, jobs):
    cluster.objects.linger = 10_000
    jobs.ensure(MANIFEST, "night")
    cluster.objects.end("night", "Failed", "FAILED")
    with pytest.raises(JobFailed, match="night is still there 1 s after deletion"):
        jobs.ensure(MANIFEST, "night", timeout=1)


def test_each_way_in_which_a_rayjob_ends_is_reported(cluster, jobs):
    jobs.ensure(MANIFEST, "night")
    assert jobs.look("night") is False
    cluster.objects.end("night", "Complete", "SUCCEEDED")
    assert jobs.look("night") is True
    cluster.objects.end("night", "Complete", "STOPPED", message="stopped by a person")
    with pytest.raises(JobFailed, match="night: STOPPED, stopped by a person"):
        jobs.look("night")
    cluster.objects.end("night", "Failed", "", reason="DeadlineExceeded", message="too long")
    with pytest.raises(JobFailed, match="night: DeadlineExceeded, too long"):
        jobs.look("night")
    jobs.delete("night")
    jobs.delete("never")
    assert not list(cluster.objects.alive())
    with pytest.raises(JobFailed, match="never was deleted"):
        jobs.look("never")


def test_an_expired_token_is_reloaded_only_once(cluster, jobs):
    jobs.ensure(MANIFEST, "night")
    cluster.token = "second"
    assert jobs.look("night") is False and cluster.connections == 2
    assert jobs.look("night") is False and cluster.connections == 2

    cluster.connect = None  # the reloaded token has expired as well
    stale = RayJobs(lambda: _stale(cluster), "videos")
    with pytest.raises(kubernetes.ApiException) as refused:
        stale.look("night")
    assert refused.value.status == 401


def _stale(cluster):
    settings = kubernetes.Configuration(host=cluster.address)
    settings.api_key = {"authorization": "Bearer first"}
    return kubernetes.CustomObjectsApi(kubernetes.ApiClient(settings))
