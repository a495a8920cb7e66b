"""A run on a Ray cluster that stands: through its Jobs REST API."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.definitions.connection import Connection

from strmatch_airflow.dataset_operator import DatasetOperator, EndTrigger
from strmatch_airflow.jobs import Watch, ensure
from strmatch_airflow.jobs_api import JobsApi


class StrMatchSubmitOperator(DatasetOperator):
    """Makes the dataset of one partition, once, by a job on a cluster that stands.

    A dataset that is complete is left alone. A job of this task and partition that waits or runs
    already is watched; any other end of it is resumed. Killing the task stops the job.

    Args:
        ray_conn_id: an HTTP connection to the cluster's dashboard, its token in the password.
        submission_id: the job's id; by default a hash of DAG, task, partition and output.
        runtime_env: of the job, as Ray takes it (remote URIs only).
        patience: seconds that the cluster may not answer.
        **kwargs: as of DatasetOperator and of Airflow's BaseOperator.
    """

    template_fields: Sequence[str] = (*DatasetOperator.template_fields, "submission_id")

    def __init__(
        self,
        *,
        ray_conn_id: str = "ray_default",
        submission_id: str | None = None,
        runtime_env: dict[str, Any] | None = None,
        patience: float = 300.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ray_conn_id = ray_conn_id
        self.submission_id = submission_id
        self.runtime_env = runtime_env
        self.patience = patience

    def start(self, name: str, command: str) -> "JobTrigger":
        name = self.submission_id or name
        api = connect(BaseHook.get_connection(self.ray_conn_id))
        self.job = Watch(api, name, self.patience)
        done = ensure(api, name, command, self.output_uri, self.runtime_env)
        self.log.info("job %s: %s: %s", name, done, command)
        return JobTrigger(name, self.ray_conn_id, self.poll_seconds, self.patience)


class JobTrigger(EndTrigger):
    fields = ("name", "ray_conn_id", "poll_seconds", "patience")

    def __init__(self, name: str, ray_conn_id: str, poll_seconds: float, patience: float) -> None:
        super().__init__()
        self.name = name
        self.ray_conn_id = ray_conn_id
        self.poll_seconds = poll_seconds
        self.patience = patience

    async def job(self) -> Watch:
        api = connect(await BaseHook.aget_connection(self.ray_conn_id))
        return Watch(api, self.name, self.patience)


def connect(connection: Connection) -> JobsApi:
    """The jobs of the cluster behind a connection."""
    host = connection.host or "localhost"
    address = host if "://" in host else f"{connection.schema or 'http'}://{host}"
    if connection.port:
        address = f"{address}:{connection.port}"
    return JobsApi(address, connection.password)
