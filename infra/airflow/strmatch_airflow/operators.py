"""A run on a Ray cluster that stands: through its Jobs REST API."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.sdk import BaseHook, BaseOperator, ObjectStoragePath
from airflow.sdk.definitions.connection import Connection
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from strmatch_airflow.dataset import is_complete
from strmatch_airflow.jobs import JobFailed, Watch, ensure, entrypoint, submission_id
from strmatch_airflow.jobs_api import JobsApi


class StrMatchSubmitOperator(BaseOperator):
    """Makes the dataset of one partition, once.

    A dataset that is complete is left alone. A job of this task and partition that waits or runs
    already is watched; any other end of it is resumed. Killing the task stops the job.

    Args:
        input_uri, output_uri: as --input and --output of `strmatch run`. The cluster's machines
            reach both, this one the output.
        preset, settings: as of `strmatch run`, settings as `--set` takes them.
        ray_conn_id: an HTTP connection to the cluster's dashboard, its token in the password.
        storage_conn_id: a connection for the output's object store.
        submission_id: the job's id; by default a hash of DAG, task, partition and output.
        runtime_env: of the job, as Ray takes it (remote URIs only).
        poll_seconds: between two looks at the job.
        patience: seconds that the cluster may not answer.
        deferrable: wait in the triggerer, not in a worker.
    """

    template_fields: Sequence[str] = (
        "input_uri",
        "output_uri",
        "preset",
        "settings",
        "submission_id",
    )

    def __init__(
        self,
        *,
        input_uri: str,
        output_uri: str,
        preset: str | None = None,
        settings: Sequence[str] = (),
        ray_conn_id: str = "ray_default",
        storage_conn_id: str | None = None,
        submission_id: str | None = None,
        runtime_env: dict[str, Any] | None = None,
        poll_seconds: float = 15.0,
        patience: float = 300.0,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_uri = input_uri
        self.output_uri = output_uri
        self.preset = preset
        self.settings = settings
        self.ray_conn_id = ray_conn_id
        self.storage_conn_id = storage_conn_id
        self.submission_id = submission_id
        self.runtime_env = runtime_env
        self.poll_seconds = poll_seconds
        self.patience = patience
        self.deferrable = deferrable

    def execute(self, context: Context) -> str:
        """Returns the output."""
        if is_complete(ObjectStoragePath(self.output_uri, conn_id=self.storage_conn_id)):
            self.log.info("%s is complete already", self.output_uri)
            return self.output_uri
        job = self.submission_id or submission_id(
            self.dag_id, self.task_id, partition(context), self.output_uri
        )
        self.submission_id = job  # for on_kill
        api = connect(BaseHook.get_connection(self.ray_conn_id))
        command = entrypoint(self.input_uri, self.output_uri, self.preset, self.settings)
        done = ensure(api, job, command, self.output_uri, self.runtime_env)
        self.log.info("job %s: %s: %s", job, done, command)
        if self.deferrable:
            trigger = JobTrigger(job, self.ray_conn_id, self.poll_seconds, self.patience)
            self.defer(trigger=trigger, method_name="finish")
        watch = Watch(api, job, self.patience)
        try:
            while not watch.look():
                time.sleep(self.poll_seconds)
        except JobFailed as error:
            raise AirflowException(str(error)) from error
        return self.output_uri

    def finish(self, context: Context, event: dict[str, str]) -> str:
        """Comes back from the trigger."""
        if event["failed"]:
            raise AirflowException(event["failed"])
        return self.output_uri

    def on_kill(self) -> None:
        if self.submission_id:
            connect(BaseHook.get_connection(self.ray_conn_id)).stop(self.submission_id)


class JobTrigger(BaseTrigger):
    """Waits for a job's end. The event's `failed` says why it did not succeed, or is empty."""

    def __init__(self, job: str, ray_conn_id: str, poll_seconds: float, patience: float) -> None:
        super().__init__()
        self.job = job
        self.ray_conn_id = ray_conn_id
        self.poll_seconds = poll_seconds
        self.patience = patience

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("job", "ray_conn_id", "poll_seconds", "patience")
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        api = connect(await BaseHook.aget_connection(self.ray_conn_id))
        watch = Watch(api, self.job, self.patience)
        try:
            while not await sync_to_async(watch.look)():
                await asyncio.sleep(self.poll_seconds)
        except JobFailed as error:
            yield TriggerEvent({"failed": str(error)})
        else:
            yield TriggerEvent({"failed": ""})

    async def on_kill(self) -> None:
        """A person has ended the task while it waited here."""
        api = connect(await BaseHook.aget_connection(self.ray_conn_id))
        await sync_to_async(api.stop)(self.job)


def connect(connection: Connection) -> JobsApi:
    """The jobs of the cluster behind a connection."""
    host = connection.host or "localhost"
    address = host if "://" in host else f"{connection.schema or 'http'}://{host}"
    if connection.port:
        address = f"{address}:{connection.port}"
    return JobsApi(address, connection.password)


def partition(context: Context) -> str:
    """What a run of the DAG is about: its partition key, else its logical date, else its id."""
    run = context["dag_run"]
    date = run.logical_date
    return run.partition_key or (date.isoformat() if date else run.run_id)
