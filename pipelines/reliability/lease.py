"""The lease on an output: at most one process writes to it.

Leases are files in `.lease`, numbered in the order in which they were taken. Only the highest
number is valid. A lease is created by a write that fails if the file exists. Of several processes
that find the same lease free, one therefore obtains the next number. Only the owner writes to its
lease afterwards: heartbeats, and finally that the lease is released.
"""

import json
import logging
import os
import platform
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from pipelines.errors import RunError
from pipelines.storage import Storage

log = logging.getLogger(__name__)

LEASE_FOLDER = ".lease"
HEARTBEAT = 10.0
"""Seconds between two heartbeats."""
SILENCE = 60.0
"""Seconds without a heartbeat after which the owner is considered dead."""


class Lease:
    """Locks an output during its `with` block.

    Raises:
        RunError: on entry, another process has the lease. Names the owner and its last heartbeat.
    """

    def __init__(self, output: Storage) -> None:
        self.output = output
        self.name = ""
        self.lost = False
        self._entry = _this_process() | {"token": uuid.uuid4().hex}
        self._done = threading.Event()
        self._heartbeat_thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        while not self.name:
            held = self.output.files(LEASE_FOLDER, ".json")
            if held:
                _refuse_if_alive(self.output, held[-1])
            number = int(Path(held[-1]).stem) + 1 if held else 1
            name = f"{LEASE_FOLDER}/{number:06d}.json"
            try:
                self.output.create(name, self._sign())
            except FileExistsError:
                continue  # another process was faster: check its lease
            self.name = name
            for old in held:
                self.output.remove(old)
        self._heartbeat_thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._heartbeat_thread.join()
        if not self.lost:
            try:
                self.output.write(self.name, self._sign(done=True))
            except Exception as failure:  # a full disk: the lease expires with the process
                log.warning("the lease on %s could not be given back: %s", self.output, failure)

    def check(self) -> None:
        """Check that the lease is still valid.

        Raises:
            RunError: another process has taken over the output.
        """
        if self.lost:
            raise RunError(
                f"output {self.output} was taken over by another run, because this one gave no "
                f"sign of life for {SILENCE:.0f} s"
            )

    def _beat(self) -> None:
        while not self._done.wait(HEARTBEAT):
            try:
                held = self.output.files(LEASE_FOLDER, ".json")
                if held and held[-1] != self.name:
                    self.lost = True
                    return
                self.output.write(self.name, self._sign())
            except Exception as failure:  # object stores have exceptions of their own
                log.warning("no sign of life could be written to %s: %s", self.output, failure)

    def _sign(self, done: bool = False) -> bytes:
        return json.dumps(self._entry | {"heartbeat": time.time(), "done": done}).encode()


def _this_process() -> dict[str, Any]:
    process = psutil.Process()
    return {
        "host": platform.node(),
        "machine": _machine(),
        "pid": process.pid,
        "process_started": process.create_time(),
        "began": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
    }


def _machine() -> str:
    """Returns an id of this boot and process namespace, in which process ids are unique."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if not boot.exists():
        return platform.node()
    return f"{platform.node()} {boot.read_text().strip()} {os.readlink(space)}"


def _refuse_if_alive(output: Storage, name: str) -> None:
    try:
        owner = json.loads(output.read(name))
    except FileNotFoundError:
        return  # just replaced: the creation of the next number fails, too
    age = time.time() - owner["heartbeat"]
    if owner["done"] or age > SILENCE or _dead(owner):
        return
    raise RunError(
        f"output {output} is held by another run: process {owner['pid']} on {owner['host']}, "
        f"since {owner['began']}, last sign of life {max(age, 0):.0f} s ago; wait for it, end it, "
        "or choose another output"
    )


def _dead(owner: dict[str, Any]) -> bool:
    """Whether the owner ran on this machine, and its process does not exist any more."""
    if owner["machine"] != _machine():
        return False
    try:
        started = psutil.Process(owner["pid"]).create_time()
    except psutil.NoSuchProcess:
        return True
    # The creation time depends on the system clock, which may have been adjusted.
    return bool(abs(started - owner["process_started"]) > 5)
