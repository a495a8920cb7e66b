"""A run as a Ray job: its id, its command, and how it is started once and watched."""

import hashlib
import json
import shlex
import time
from collections.abc import Sequence
from typing import Any

import requests

from strmatch_airflow.jobs_api import JobsApi, JobsApiError

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
ENVIRONMENT = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "PYTHONUNBUFFERED": "1"}


class JobFailed(Exception):
    """A job failed, was stopped, or is unknown to the cluster."""


def submission_id(dag: str, task: str, key: str, output: str) -> str:
    """Returns the id of the job of one task on one partition. Retries attach to the job by this id.

    Valid as the name of a Kubernetes object. Airflow's environment has no strmatch: this function,
    `entrypoint` and `ensure` repeat their twins in `jobs.submission`.
    """
    named = json.dumps([dag, task, key, output])
    return f"strmatch-{hashlib.sha256(named.encode()).hexdigest()[:20]}"


def entrypoint(
    input: str, output: str, preset: str | None = None, settings: Sequence[str] = ()
) -> str:
    """Returns the shell command of a run. Settings are written as for `--set`."""
    words = ["strmatch", "run", "--input", input, "--output", output]
    words += ["--preset", preset] if preset else []
    return shlex.join(words + [part for setting in settings for part in ("--set", setting)])


def ensure(
    api: JobsApi, job: str, command: str, output: str, runtime_env: dict[str, Any] | None = None
) -> str:
    """Make the job wait or run. Returns "attached" or "submitted".

    A job of this id that has ended is deleted and submitted again: the caller has checked that its
    dataset is missing. The run resumes from what earlier jobs committed.
    """
    there = api.get(job)
    if there and there["status"] not in ENDED:
        return "attached"
    given = dict(runtime_env or {})
    given["env_vars"] = ENVIRONMENT | given.get("env_vars", {})
    try:
        if there:
            api.delete(job)
        api.submit(job, command, given, {"output": output})
    except JobsApiError:
        there = api.get(job)
        if there and there["status"] not in ENDED:
            return "attached"  # someone else was faster
        raise
    return "submitted"


class Watch:
    """Looks after a job through the times in which its cluster does not answer.

    Args:
        patience: seconds without an answer after which the job is given up.
    """

    def __init__(self, api: JobsApi, job: str, patience: float = 300.0) -> None:
        self.api = api
        self.job = job
        self.patience = patience
        self._heard = time.monotonic()

    def look(self) -> bool:
        """Whether the job has succeeded by now; False while it waits or runs.

        Raises:
            JobFailed: it ended otherwise, with its last log lines; or the cluster is gone.
        """
        try:
            found = self.api.get(self.job)
        except (requests.ConnectionError, requests.Timeout, JobsApiError) as error:
            refused = isinstance(error, JobsApiError) and error.status < 500
            if refused or time.monotonic() - self._heard > self.patience:
                raise JobFailed(f"job {self.job} cannot be watched: {error}") from error
            return False
        self._heard = time.monotonic()
        if found is None:
            raise JobFailed(f"job {self.job} is unknown to the cluster: was it restarted?")
        if found["status"] not in ENDED:
            return False
        if found["status"] != "SUCCEEDED":
            raise JobFailed(
                f"job {self.job}: {found['status']}: {found.get('message')}\n"
                f"{last_lines(self.api, self.job)}"
            )
        return True

    def stop(self) -> None:
        """Ask for its end."""
        self.api.stop(self.job)


def last_lines(api: JobsApi, job: str, count: int = 20) -> str:
    """The end of a job's log."""
    try:
        return "\n".join(api.logs(job).splitlines()[-count:])
    except (requests.RequestException, JobsApiError) as error:
        return f"(its log cannot be read: {error})"
