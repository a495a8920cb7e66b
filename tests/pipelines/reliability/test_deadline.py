"""The deadline, on real processes that hang while holding the interpreter lock."""

import json
import signal
import subprocess
import sys
import textwrap
import time

from tests.pipelines.support.processes import gone

WORKER = """
import ctypes, sys, time
from pipelines.storage import Storage
from pipelines.reliability.deadline import Deadline

deadline = Deadline({seconds}, Storage({folder!r}), "1", isolate={isolate})
for item in ("first", "second"):
    with deadline("edit", item):
        time.sleep(0.1)
with deadline("decode", "hung"):
    ctypes.PyDLL(None).sleep(60)
"""


def hang(folder, seconds=1.0, isolate=False):
    """Run a worker that hangs. Return its lifetime in seconds and the completed process."""
    code = textwrap.dedent(WORKER).format(seconds=seconds, folder=str(folder), isolate=isolate)
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return time.monotonic() - began, ended


def notes(folder):
    return {p.parent.name: json.loads(p.read_text()) for p in folder.rglob("attempts/*/1.json")}


def test_a_process_that_hangs_with_the_interpreter_lock_is_killed_and_recorded(tmp_path):
    seconds, ended = hang(tmp_path)
    assert ended.returncode == -signal.SIGKILL
    assert seconds < 40
    assert notes(tmp_path) == {"hung": {"stage": "decode", "late": True}}
    assert "in <module>" in ended.stderr  # the line where the process hung


def test_attempt_records_list_the_started_items(tmp_path):
    hang(tmp_path, isolate=True)
    edit = {"stage": "edit"}
    assert notes(tmp_path) == {
        "first": edit,
        "second": edit,
        "hung": {"stage": "decode", "late": True},
    }


def test_a_hanging_process_is_killed_even_if_the_store_is_not_writable(tmp_path):
    (tmp_path / "file").touch()
    _, ended = hang(tmp_path / "file")
    assert ended.returncode == -signal.SIGKILL


def test_a_killed_watchdog_is_replaced_and_all_end_with_their_process(tmp_path):
    code = textwrap.dedent(
        """
        import os, psutil, signal
        from pipelines.reliability.deadline import Deadline
        for _ in range(2):
            with Deadline(60)("edit", "item"):
                (dog,) = psutil.Process().children()
            print(dog.pid, flush=True)
            os.kill(dog.pid, signal.SIGKILL)
            dog.wait()
        with Deadline(60)("edit", "item"):
            (dog,) = psutil.Process().children()
        print(dog.pid)
        """
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pids = [int(line) for line in ended.stdout.split()]
    assert len(set(pids)) == 3, ended.stderr
    assert all(gone(pid) for pid in pids)
