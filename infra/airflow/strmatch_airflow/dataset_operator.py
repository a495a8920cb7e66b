"""What both operators do: make one partition's dataset once, and wait for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar, Protocol

from airflow.sdk import BaseOperator, ObjectStoragePath
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from strmatch_airflow.dataset import is_complete
from strmatch_airflow.jobs import JobFailed, entrypoint, submission_id


class Job(Protocol):
    """A job that was started."""

    def look(self) -> bool:
        """Whether it has succeeded by now; raises JobFailed if it never will."""
        ...

    def stop(self) -> None: ...


class EndTrigger(BaseTrigger):
    """Waits for a job's end. The event's `failed` says why it did not succeed, or is empty."""

    fields: ClassVar[tuple[str, ...]]
    """The arguments that it is made again from, each kept under its name."""
    poll_seconds: float

    async def job(self) -> Job:
        """The job, over a connection of its own."""
        raise NotImplementedError

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in self.fields}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        job = await self.job()
        try:
            while not await sync_to_async(job.look)():
                await asyncio.sleep(self.poll_seconds)
        except JobFailed as error:
            yield TriggerEvent({"failed": str(error)})
        else:
            yield TriggerEvent({"failed": ""})

    async def on_kill(self) -> None:
        """A person has ended the task while it waited here."""
        job = await self.job()
        await sync_to_async(job.stop)()


class DatasetOperator(BaseOperator):
    """Makes the dataset of one partition, once.

    Args:
        input_uri, output_uri: as --input and --output of `strmatch run`. The cluster's machines
            reach both, this one the output.
        preset, settings: as of `strmatch run`, settings as `--set` takes them.
        storage_conn_id: a connection for the output's object store.
        poll_seconds: between two looks at the job.
        deferrable: wait in the triggerer, not in a worker.
    """

    template_fields: Sequence[str] = ("input_uri", "output_uri", "preset", "settings")

    def __init__(
        self,
        *,
        input_uri: str,
        output_uri: str,
        preset: str | None = None,
        settings: Sequence[str] = (),
        storage_conn_id: str | None = None,
        poll_seconds: float = 15.0,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_uri = input_uri
        self.output_uri = output_uri
        self.preset = preset
        self.settings = settings
        self.storage_conn_id = storage_conn_id
        self.poll_seconds = poll_seconds
        self.deferrable = deferrable
        self.job: Job | None = None

    def start(self, name: str, command: str) -> EndTrigger:
        """Set `job` to the one of this name, and start it, unless it waits or runs already.

        Returns:
            What waits for its end.
        """
        raise NotImplementedError

    def execute(self, context: Context) -> str:
        """Returns the output."""
        if is_complete(ObjectStoragePath(self.output_uri, conn_id=self.storage_conn_id)):
            self.log.info("%s is complete already", self.output_uri)
            return self.output_uri
        name = submission_id(self.dag_id, self.task_id, partition(context), self.output_uri)
        command = entrypoint(self.input_uri, self.output_uri, self.preset, self.settings)
        trigger = self.start(name, command)
        if self.deferrable:
            self.defer(trigger=trigger, method_name="finish")
        assert self.job
        try:
            while not self.job.look():
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
        if self.job:
            self.job.stop()


def partition(context: Context) -> str:
    """What a run of the DAG is about: its partition key, else its logical date, else its id."""
    run = context["dag_run"]
    date = run.logical_date
    return run.partition_key or (date.isoformat() if date else run.run_id)
