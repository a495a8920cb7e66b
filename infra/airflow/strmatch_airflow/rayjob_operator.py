"""A run on a Ray cluster of its own, which KubeRay makes for it and takes away again."""

import copy
from collections.abc import Sequence
from typing import Any

from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
from asgiref.sync import sync_to_async

from strmatch_airflow.dataset_operator import DatasetOperator, EndTrigger
from strmatch_airflow.rayjobs import RayJob, RayJobs


class RayJobOperator(DatasetOperator):
    """Makes the dataset of one partition, once, by a RayJob.

    A dataset that is complete is left alone. A RayJob of this task and partition that waits or
    runs already is watched; any other end of it is resumed. Killing the task deletes the RayJob.

    Args:
        manifest: the RayJob, as infra/kuberay/base/rayjob.yaml; name and entrypoint are set here.
        namespace: where the RayJob is made.
        kubernetes_conn_id: a connection whose account may create, get and delete RayJobs.
        **kwargs: as of DatasetOperator and of Airflow's BaseOperator.
    """

    template_fields: Sequence[str] = ("manifest", *DatasetOperator.template_fields)

    def __init__(
        self,
        *,
        manifest: dict[str, Any],
        namespace: str = "default",
        kubernetes_conn_id: str = "kubernetes_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifest = manifest
        self.namespace = namespace
        self.kubernetes_conn_id = kubernetes_conn_id

    def start(self, name: str, command: str) -> "RayJobTrigger":
        body = copy.deepcopy(self.manifest)
        body["spec"]["entrypoint"] = command
        jobs = connect(self.kubernetes_conn_id, self.namespace)
        self.job = RayJob(jobs, name)
        self.log.info("RayJob %s: %s", name, jobs.ensure(body, name))
        return RayJobTrigger(name, self.namespace, self.kubernetes_conn_id, self.poll_seconds)


class RayJobTrigger(EndTrigger):
    fields = ("name", "namespace", "kubernetes_conn_id", "poll_seconds")

    def __init__(
        self, name: str, namespace: str, kubernetes_conn_id: str, poll_seconds: float
    ) -> None:
        super().__init__()
        self.name = name
        self.namespace = namespace
        self.kubernetes_conn_id = kubernetes_conn_id
        self.poll_seconds = poll_seconds

    async def job(self) -> RayJob:
        jobs = await sync_to_async(connect)(self.kubernetes_conn_id, self.namespace)
        return RayJob(jobs, self.name)


def connect(kubernetes_conn_id: str, namespace: str) -> RayJobs:
    """Returns the RayJobs of a connection. Each client reads the token with a hook of its own."""
    return RayJobs(lambda: KubernetesHook(kubernetes_conn_id).custom_object_client, namespace)
