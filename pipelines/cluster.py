"""The Ray cluster: connection or start, checks, and the allocation of its resources."""

import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import ray
import ray.data
from ray.autoscaler.sdk import request_resources
from ray.data import ActorPoolStrategy

from pipelines.causes import cause
from pipelines.config.sections import Execution
from pipelines.errors import RunError
from pipelines.versions import PACKAGE_VERSION

MAX_BLOCK_ROWS = 64
"""Maximum number of videos or clips in a block."""
PACKAGES = Path(__file__).resolve().parents[1]
"""The folder of this project's packages."""


@contextmanager
def cluster(execution: Execution) -> Iterator[None]:
    """Connect to the configured Ray cluster, or start one on this machine, during the block.

    An existing connection is used and kept.

    Args:
        execution: names the cluster and the resources that workers need.

    Raises:
        RunError: a worker fits on no machine, or the machines have no or another strmatch.
    """
    started = not ray.is_initialized()
    if started:
        address = execution.ray_address or os.environ.get("RAY_ADDRESS") or "local"
        # The terminal shows progress and errors of the run. Ray writes its logs to files.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        # Threads of torch that wait by polling slow down whatever else runs on the machine.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        # Workers import first from the folder in which Ray was started. The user's folder may have
        # packages of the same names as ours.
        with chdir(PACKAGES):
            ray.init(
                address=address,
                logging_level=logging.ERROR,
                log_to_driver=False,
                **({"include_dashboard": False} if address == "local" else {}),
            )
        if threading.current_thread() is threading.main_thread():
            # The termination by a scheduler has the effect of Ctrl-C.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = -1  # one clip may take longer than Ray's half hour
    # Ray Data logs the tracebacks of what it raises. A phase that stops tells the cause, and deaths
    # of workers are reported by `resilient_work`. A retained log record would keep an actor pool
    # alive through its traceback, and block resources that the next pass needs.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    # Ray will rename the arguments that bound restarts, and has no replacement yet.
    warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")
    try:
        _check_resources(execution)
        _check_workers()
        yield
    finally:
        if started:
            ray.shutdown()


Worker = Literal["editor", "captioner", "tracker", "metric"]
"""A kind of worker that may have GPUs, by `execution.gpus_per_…`."""


def _check_resources(execution: Execution) -> None:
    """Check that every worker fits on a machine, existing or added by an autoscaler in time."""
    until = time.monotonic() + execution.wait_for_resources
    for worker in get_args(Worker):
        _check_worker(worker, execution, until)
    if execution.wait_for_resources:
        request_resources(bundles=[])


def _check_worker(worker: Worker, execution: Execution, until: float) -> None:
    need = {"CPU": 1.0, "GPU": getattr(execution, f"gpus_per_{worker}") or 0.0}
    while not any(_fits(need, node["Resources"]) for node in ray.nodes() if node["Alive"]):
        if time.monotonic() >= until:
            there = ", ".join(f"{ray.cluster_resources().get(name, 0):g} {name}" for name in need)
            raise RunError(
                f"no machine of the cluster ({there} in all) has the {need['GPU']:g} GPU and 1 CPU "
                f"of one {worker}: see execution.gpus_per_{worker}, and "
                "execution.wait_for_resources if an autoscaler is to bring one"
            )
        request_resources(bundles=[need])
        time.sleep(1.0)


def _fits(need: Mapping[str, float], there: Mapping[str, float]) -> bool:
    return all(there.get(name, 0.0) >= amount for name, amount in need.items())


def _check_workers() -> None:
    """Check that workers import this version of the package."""
    try:
        there = ray.get(ray.remote(num_cpus=0)(_version).remote())
    except ray.exceptions.RayError as error:
        raise RunError(
            f"workers cannot import strmatch ({cause(error)}): it has to be installed where "
            "they run, and no jobs/ or pipelines/ of your own may lie in the working directory"
        ) from error
    if there != PACKAGE_VERSION:
        raise RunError(f"workers have strmatch {there}, this is {PACKAGE_VERSION}")


def _version() -> str:
    return PACKAGE_VERSION


@dataclass(frozen=True)
class Allocation:
    """The resources of a pool of workers."""

    workers: int
    cpus: int
    """CPUs that Ray reserves for a worker."""
    gpus: float
    """GPUs that Ray reserves for a worker."""
    threads: int
    """CPU threads of a worker."""


def allocate(execution: Execution, work: int, worker: Worker = "editor") -> Allocation:
    """Allocate the cluster to the workers of a pool, at most one per item.

    With GPUs, the pool has one worker per GPU. Without, it has one worker per CPU, less one: a pool
    that occupies every CPU leaves none for the tasks that feed it, and never ends.

    Args:
        execution: number of editors, GPUs per worker, threads.
        work: number of items.
        worker: the kind of worker.
    """
    there, gpus = cpus(), ray.cluster_resources().get("GPU", 0.0)
    each: float | None = getattr(execution, f"gpus_per_{worker}")
    if each is None:
        each = 1.0 if gpus else 0.0
    requested = execution.editors if worker == "editor" else None
    workers = requested or int(gpus / each if each else there - 1)
    workers = max(1, min(workers, work))
    threads = execution.torch_threads or max(1, there // workers)
    return Allocation(workers, cpus=1 if there > workers else 0, gpus=each, threads=threads)


def pool_options(
    allocation: Allocation, items: int, isolate: bool, in_flight: int = 1
) -> dict[str, Any]:
    """Returns the arguments of Ray Data for a pool of workers that keep a model loaded.

    Ray rebuilds a worker that died, but does not repeat its items: see `resilient_work`.

    Args:
        items: number of items of the pool. One item alone needs no new worker.
        isolate: process items sequentially; a dead worker ends the job.
        in_flight: blocks that are assigned to a worker at the same time.
    """
    return {
        "compute": ActorPoolStrategy(
            size=allocation.workers, max_tasks_in_flight_per_actor=in_flight
        ),
        "num_gpus": allocation.gpus,
        "num_cpus": allocation.cpus,
        "max_restarts": -1 if items > 1 and not isolate else 0,
        "max_task_retries": 0,
    }


def task_options(isolate: bool) -> dict[str, Any]:
    """Returns the arguments of Ray Data for tasks, which Ray never repeats: see `resilient_work`.

    Args:
        isolate: process items sequentially.
    """
    return {"num_cpus": 1, "max_retries": 0} | ({"concurrency": 1} if isolate else {})


def cpus() -> int:
    """Returns the number of CPUs of the cluster."""
    return int(ray.cluster_resources().get("CPU", 1))


def rows_per_block(rows: int) -> int:
    """Returns the block size that gives every CPU several blocks."""
    return max(1, min(MAX_BLOCK_ROWS, rows // (8 * cpus())))
