"""A run as a job of a Ray cluster: named by what it does, so that nothing is started twice.

The job's log is a file that Ray appends to: what follows under the same id is read after it.
"""

import asyncio
import json
import logging
import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from pipelines.causes import cause
from pipelines.config.config import Config
from pipelines.config.fingerprints import dump, fingerprints
from pipelines.config.loading import load_config
from pipelines.errors import ConfigError, RunError
from pipelines.ids import content_id
from pipelines.sources.listing import input_address
from pipelines.storage import Storage
from pipelines.tables.record import SUCCESS

ENVIRONMENT = {
    # The packages are installed where the job runs; `uv run` is not to install them again.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "PYTHONUNBUFFERED": "1",
}
NO_CODE = ["*.mp4", "*.mkv", "*.mov", "*.avi", "*.webm", "*.parquet", "*.safetensors"]
NO_CODE += [".git/", ".venv/", "__pycache__/", "/runs/", "/demo/"]
"""What a working directory holds besides code, as .gitignore writes it."""
SECRET = re.compile(r"secret|password|token|^key$|_key$|credential", re.IGNORECASE)
SILENCE = 300.0
"""Seconds without an answer after which a cluster counts as lost."""


def submission_id(input: str, output: str, config: Config, limit: int | None) -> str:
    """Names the job of a run: the same inputs, output and settings, the same job."""
    named = content_id(
        input=input_address(input),
        output=Storage(output).uri,
        limit=limit,
        fingerprint=fingerprints(config)["publish"],
    )
    return f"strmatch-{named[:20]}"


def entrypoint(input: str, output: str, config: Config, limit: int | None) -> str:
    """The shell command of a run: its preset, and every setting that differs from it.

    So no file needs to be where the job runs.

    Raises:
        ConfigError: a setting is a secret, which everyone could read in the job's command.
    """
    words = ["strmatch", "run", "--input", input_address(input), "--output", Storage(output).uri]
    words += ["--preset", config.preset]
    if limit is not None:
        words += ["--limit", str(limit)]
    for name, value in _changed(dump(load_config(config.preset)), dump(config)):
        if name == "execution.ray_address":
            continue  # a job belongs to its own cluster
        if SECRET.search(name.rpartition(".")[2]) and name.startswith("execution.storage_options"):
            raise ConfigError(
                f"{name}: would be seen in the job's command; give it to the cluster's machines "
                "in their environment"
            )
        words += ["--set", f"{name}={json.dumps(value, ensure_ascii=False)}"]
    return shlex.join(words)


def _changed(
    old: Mapping[str, Any], new: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Any]]:
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before or {}, Mapping):
            yield from _changed(before or {}, value, f"{path}{name}.")
        elif value != before:
            yield f"{path}{name}", value


def connect(address: str | None) -> JobSubmissionClient:
    """The jobs of the cluster at this address; by default of $RAY_API_SERVER_ADDRESS or
    $RAY_ADDRESS, else of the cluster on this machine.

    Raises:
        RunError: there is no cluster.
    """
    logging.getLogger("ray.dashboard.modules.job.sdk").setLevel(logging.WARNING)
    if address:
        os.environ["RAY_API_SERVER_ADDRESS"] = address  # which Ray lets win over an argument
    try:
        return JobSubmissionClient()
    except Exception as error:  # Ray has no kind of its own for it
        where = address or "given by --address, RAY_API_SERVER_ADDRESS or RAY_ADDRESS"
        raise RunError(f"no Ray cluster {where} takes jobs: {cause(error)}") from error


def find(client: JobSubmissionClient, job: str) -> JobDetails | None:
    """What the cluster knows of a job, None if it knows none of that id."""
    try:
        return client.get_job_info(job)
    except RuntimeError as error:
        if "status code 404" in str(error):
            return None
        raise


def known(client: JobSubmissionClient, job: str) -> JobDetails:
    """As `find`.

    Raises:
        RunError: the cluster knows no such job.
    """
    found = find(client, job)
    if found is None:
        raise RunError(f"the cluster knows no job {job}; a cluster that was restarted forgets all")
    return found


def ensure(
    client: JobSubmissionClient,
    job: str,
    command: str,
    output: Storage,
    working_dir: Path | None = None,
) -> str:
    """See to it that the job waits, runs, or has made its dataset.

    Returns:
        "attached" where it waits or runs already, "finished" where its dataset is there, else
        "submitted": as a new job, or again after any other end.
    """
    there = find(client, job)
    if there and not there.status.is_terminal():
        return "attached"
    if there and there.status == JobStatus.SUCCEEDED and output.exists(SUCCESS):
        return "finished"
    runtime_env: dict[str, Any] = {"env_vars": ENVIRONMENT}
    if working_dir:
        runtime_env |= {"working_dir": str(working_dir.resolve()), "excludes": NO_CODE}
    try:
        if there:
            client.delete_job(job)
        client.submit_job(
            entrypoint=command,
            submission_id=job,
            runtime_env=runtime_env,
            metadata={"output": str(output)},
        )
    except RuntimeError as error:
        there = find(client, job)
        if there and not there.status.is_terminal():
            return "attached"  # someone else was faster
        raise RunError(f"job {job} could not be submitted: {cause(error)}") from error
    return "submitted"


def follow(client: JobSubmissionClient, job: str) -> JobDetails:
    """Print the job's log as it grows, until the job has ended.

    Raises:
        RunError: the cluster does not answer any more, or has forgotten the job.
    """
    log, heard = _Log(), time.monotonic()
    found: JobDetails | None = None
    while True:
        try:
            found = known(client, job)
            asyncio.run(log.tail(client, job))
            heard = time.monotonic()
        except (aiohttp.ClientError, ConnectionError, RuntimeError) as error:
            if time.monotonic() - heard > SILENCE:
                raise RunError(
                    f"the cluster has not answered for {SILENCE:.0f} s ({cause(error)}); the "
                    f"job may go on: the same command attaches to it"
                ) from error
        # Known to have ended before its log was read, which therefore is whole.
        if found and found.status.is_terminal():
            return found
        time.sleep(1.0)


class _Log:
    """Prints a log, which comes from its beginning each time, every character once."""

    def __init__(self) -> None:
        self.printed = 0

    async def tail(self, client: JobSubmissionClient, job: str) -> None:
        position = 0
        async for lines in client.tail_job_logs(job):
            print(lines[max(0, self.printed - position) :], end="", flush=True)
            position += len(lines)
            self.printed = max(self.printed, position)
