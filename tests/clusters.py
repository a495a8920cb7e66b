"""A Ray cluster of this machine as `ray start` makes one. Needs no ray in the calling process."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class LocalCluster:
    """Where its jobs are submitted, and the environment that its clients need."""

    address: str
    token: str
    environment: dict[str, str]


@contextmanager
def local_cluster(ray: Path = Path(sys.executable).parent / "ray") -> Iterator[LocalCluster]:
    """`ray start --head`, three CPUs and two logical GPUs, behind a token, in a folder of its own.

    Args:
        ray: the command; what lies beside it is on the cluster's path.
    """
    token = secrets.token_hex(16)
    environment = {name: value for name, value in os.environ.items() if name[:4] != "RAY_"} | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_USAGE_STATS_ENABLED": "0",
        "PATH": f"{ray.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    port = _free_port()
    command = [str(ray), "start", "--head", "--block", "--disable-usage-stats"]
    command += ["--num-cpus=3", "--num-gpus=2", f"--object-store-memory={200 * 2**20}"]
    command += [f"--port={_free_port()}", f"--dashboard-port={port}"]
    command += [f"--ray-client-server-port={_free_port()}", "--dashboard-host=127.0.0.1"]
    command += [f"--dashboard-agent-listen-port={_free_port()}"]
    command += ["--min-worker-port=0", "--max-worker-port=0", "--node-ip-address=127.0.0.1"]
    address = f"http://127.0.0.1:{port}"
    # Not below pytest's folders: the names of Ray's sockets would be too long.
    with (
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,
        (Path(folder) / "start.log").open("w+") as log,
    ):
        command.append(f"--temp-dir={folder}")
        head = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            _wait_for(address, token, head, Path(log.name))
            yield LocalCluster(address, token, environment | {"RAY_API_SERVER_ADDRESS": address})
        finally:
            if head.poll() is None:
                _kill(psutil.Process(head.pid))
                head.wait()


def _kill(head: psutil.Process) -> None:
    """End the cluster's processes; some of them would outlive the first one."""
    every = [head, *head.children(recursive=True)]
    for process in every:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(every[1:], timeout=30)


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _wait_for(address: str, token: str, head: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the cluster takes jobs."""
    request = urllib.request.Request(
        f"{address}/api/jobs/", headers={"Authorization": f"Bearer {token}"}
    )
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(request, timeout=10).close()
            return
        except (urllib.error.URLError, OSError) as error:
            if head.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"no cluster: {error}\n{log.read_text()[-3000:]}") from error
        time.sleep(0.3)
