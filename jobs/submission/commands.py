"""The jobs behind `strmatch submit` and `strmatch job`."""

import time
from pathlib import Path

from ray.job_submission import JobDetails, JobStatus

from jobs.submission.client import connect, ensure, entrypoint, follow, known, submission_id
from pipelines.config.config import Config
from pipelines.errors import RunError
from pipelines.storage import Storage
from pipelines.tables.record import read_record


def submit(
    input: str,
    output: str,
    config: Config,
    limit: int | None,
    address: str | None,
    job: str | None,
    working_dir: Path | None,
    detach: bool,
) -> None:
    """Submit a run, or find the job that does it already; follow it to its end.

    Raises:
        RunError: the job did not succeed.
    """
    job = job or submission_id(input, output, config, limit)
    client, storage = connect(address), Storage(output, config.execution.storage_options)
    done = ensure(client, job, entrypoint(input, output, config, limit), storage, working_dir)
    print(f"job {job}: {done}", flush=True)
    if done == "finished":
        record = read_record(storage)
        counts = (record and record.counts) or {}
        print("  " + ", ".join(f"{count} {what}" for what, count in counts.items()))
        print(f"  dataset: {storage}/dataset")
    elif not detach:
        _conclude(follow(client, job))


def status(job: str, address: str | None) -> None:
    """Print a job's state, and what Ray says about it."""
    found = known(connect(address), job)
    print(f"{found.status}  {' '.join((found.message or '').split())}")


def logs(job: str, address: str | None, keep_on: bool) -> None:
    """Print a job's log; with `keep_on` until the job ends, whose outcome is that of the command.

    Raises:
        RunError: there is no such job; or it was followed and did not succeed.
    """
    client = connect(address)
    known(client, job)
    if keep_on:
        _conclude(follow(client, job))
    else:
        print(client.get_job_logs(job), end="")


def stop(job: str, address: str | None) -> None:
    """Stop a job, and wait until it has stopped. What it committed is kept."""
    client = connect(address)
    if known(client, job).status.is_terminal():
        print(f"job {job} has ended already")
        return
    client.stop_job(job)
    while not known(client, job).status.is_terminal():
        time.sleep(0.5)
    print(f"job {job}: stopped; the same `strmatch submit` goes on from there")


def _conclude(ended: JobDetails) -> None:
    if ended.status != JobStatus.SUCCEEDED:
        why = (ended.message or "no reason given").strip().splitlines()[0]
        if ended.driver_exit_code:
            why = f"exit code {ended.driver_exit_code}"
        raise RunError(f"job {ended.submission_id}: {ended.status}: {why}")
