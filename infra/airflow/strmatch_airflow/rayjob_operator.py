"""A run on a Ray cluster of its own, which KubeRay makes for it and takes away again."""

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
from airflow.sdk import BaseOperator, ObjectStoragePath
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from strmatch_airflow.dataset import is_complete
from strmatch_airflow.jobs import entrypoint, submission_id
from strmatch_airflow.operators import partition
from strmatch_airflow.rayjobs import RayJobFailed, RayJobs


class RayJobOperator(BaseOperator):
    """Makes the dataset of one partition, once, by a RayJob.

    A dataset that is complete is left alone. A RayJob of this task and partition that waits or
    runs already is watched; any other end of it is resumed. Killing the task deletes the RayJob.

    Args:
        manifest: the RayJob, as infra/kuberay/base/rayjob.yaml; name and entrypoint are set here.
        input_uri, output_uri, preset, settings, storage_conn_id, poll_seconds, deferrable: as of
            StrMatchSubmitOperator.
        namespace: where the RayJob is made.
        kubernetes_conn_id: a connection whose account may create, get and delete RayJobs.
    """

    template_fields: Sequence[str] = ("manifest", "input_uri", "output_uri", "preset", "settings")

    def __init__(
        self,
        *,
        manifest: dict[str, Any],
        input_uri: str,
        output_uri: str,
        preset: str | None = None,
        settings: Sequence[str] = (),
        namespace: str = "default",
        kubernetes_conn_id: str = "kubernetes_default",
        storage_conn_id: str | None = None,
        poll_seconds: float = 15.0,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifest = manifest
        self.input_uri = input_uri
        self.output_uri = output_uri
        self.preset = preset
        self.settings = settings
        self.namespace = namespace
        self.kubernetes_conn_id = kubernetes_conn_id
        self.storage_conn_id = storage_conn_id
        self.poll_seconds = poll_seconds
        self.deferrable = deferrable
        self.name = ""

    def execute(self, context: Context) -> str:
        """Returns the output."""
        if is_complete(ObjectStoragePath(self.output_uri, conn_id=self.storage_conn_id)):
            self.log.info("%s is complete already", self.output_uri)
            return self.output_uri
        self.name = submission_id(self.dag_id, self.task_id, partition(context), self.output_uri)
        body = copy.deepcopy(self.manifest)
        body["spec"]["entrypoint"] = entrypoint(
            self.input_uri, self.output_uri, self.preset, self.settings
        )
        jobs = connect(self.kubernetes_conn_id, self.namespace)
        self.log.info("RayJob %s: %s", self.name, jobs.ensure(body, self.name))
        if self.deferrable:
            trigger = RayJobTrigger(
                self.name, self.namespace, self.kubernetes_conn_id, self.poll_seconds
            )
            self.defer(trigger=trigger, method_name="finish")
        try:
            while not jobs.look(self.name):
                time.sleep(self.poll_seconds)
        except RayJobFailed as error:
            raise AirflowException(str(error)) from error
        return self.output_uri

    def finish(self, context: Context, event: dict[str, str]) -> str:
        """Comes back from the trigger."""
        if event["failed"]:
            raise AirflowException(event["failed"])
        return self.output_uri

    def on_kill(self) -> None:
        if self.name:
            connect(self.kubernetes_conn_id, self.namespace).delete(self.name)


class RayJobTrigger(BaseTrigger):
    """Waits for a RayJob's end. The event's `failed` says why it did not succeed, or is empty."""

    def __init__(
        self, name: str, namespace: str, kubernetes_conn_id: str, poll_seconds: float
    ) -> None:
        super().__init__()
        self.name = name
        self.namespace = namespace
        self.kubernetes_conn_id = kubernetes_conn_id
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("name", "namespace", "kubernetes_conn_id", "poll_seconds")
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        jobs = await sync_to_async(connect)(self.kubernetes_conn_id, self.namespace)
        try:
            while not await sync_to_async(jobs.look)(self.name):
                await asyncio.sleep(self.poll_seconds)
        except RayJobFailed as error:
            yield TriggerEvent({"failed": str(error)})
        else:
            yield TriggerEvent({"failed": ""})

    async def on_kill(self) -> None:
        """A person has ended the task while it waited here."""
        jobs = await sync_to_async(connect)(self.kubernetes_conn_id, self.namespace)
        await sync_to_async(jobs.delete)(self.name)


def connect(kubernetes_conn_id: str, namespace: str) -> RayJobs:
    """The RayJobs that a connection reaches. A new hook reads a token anew."""
    return RayJobs(lambda: KubernetesHook(kubernetes_conn_id).custom_object_client, namespace)
