"""Real processes that raise, crash and hang while holding the interpreter lock."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.reliability.isolated_process import DeadlineExceeded, IsolatedProcess, ProcessDied
from tests.pipelines.support.processes import gone


class Worker:
    """Raises, crashes, hangs or computes as each item demands."""

    def __init__(self, offset):
        if offset is None:
            raise ValueError("no offset")
        if offset == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if isinstance(offset, Path):
            built = offset.exists()
            offset.touch()
            if not built:
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)
            offset = 10
        self.offset, self.calls = offset, 0

    def __call__(self, item):
        if item == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "crash":
            ctypes.string_at(0)
        if item == "hang":
            ctypes.PyDLL(None).sleep(600)
        if item == "raise":
            raise FileNotFoundError("out of luck")
        if item == "raise what cannot travel":
            raise type("Local", (Exception,), {})("here")
        self.calls += 1
        return item + self.offset, self.calls, os.getpid()


@pytest.fixture
def child():
    return IsolatedProcess(Worker, (10,))


def test_one_process_handles_all_items(child):
    first, second = child(1, 30), child(2, 30)
    assert (first[:2], second[:2]) == ((11, 1), (12, 2))
    assert first[2] == second[2] != os.getpid()


@pytest.mark.parametrize("how", ["kill", "crash"])
def test_a_process_that_dies_is_replaced(child, how):
    before = child(1, 30)[2]
    for _ in range(2):
        with pytest.raises(ProcessDied):
            child(how, 30)
    value, calls, after = child(1, 30)
    assert (value, calls) == (11, 1)
    assert after != before


def test_a_process_that_hangs_with_the_interpreter_lock_is_replaced(child):
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        child("hang", 1.0)
    assert time.monotonic() - began < 20
    assert child(1, 30)[0] == 11


def test_a_death_between_items_does_not_fail_the_next_item(child):
    process = psutil.Process(child(1, 30)[2])
    process.kill()
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert child(2, 30)[:2] == (12, 1)


def test_exceptions_are_returned_and_the_process_continues(child):
    with pytest.raises(FileNotFoundError, match="out of luck"):
        child("raise", 30)
    with pytest.raises(RuntimeError, match="Local: here"):
        child("raise what cannot travel", 30)
    assert child(1, 30)[:2] == (11, 1)


def test_a_failed_construction_raises_its_cause():
    with pytest.raises(ValueError, match="no offset"):
        IsolatedProcess(Worker, (None,))
    with pytest.raises(ProcessDied, match="while it was built, 3 times"):
        IsolatedProcess(Worker, ("crash",))


def test_a_supervisor_killed_during_construction_is_replaced(tmp_path):
    assert IsolatedProcess(Worker, (tmp_path / "built",))(1, 30)[:2] == (11, 1)


def test_a_killed_supervisor_ends_its_process_and_is_replaced(child):
    pid = child(1, 30)[2]
    child.supervisor.kill()
    with pytest.raises(ProcessDied):
        child(1, 30)
    assert child(2, 30)[:2] == (12, 1)
    assert gone(pid)


def test_processes_end_when_their_pipe_is_closed(child):
    pid = child(1, 30)[2]
    child.pipe.close()
    assert gone(pid)
    assert child.supervisor.wait(30) == 0


def run(tmp_path, *lines):
    """Run a program that starts a child and then executes these lines."""
    program = tmp_path / "worker.py"
    program.write_text(
        "\n".join(
            [
                "import os, signal, sys, threading",
                f"sys.path.insert(0, {os.getcwd()!r})",
                "from pipelines.reliability.isolated_process import DeadlineExceeded",
                "from pipelines.reliability.isolated_process import IsolatedProcess",
                "from tests.pipelines.reliability.test_isolated_process import Worker",
                'if __name__ == "__main__":',
                "    child = IsolatedProcess(Worker, (10,))",
                *(f"    {line}" for line in lines),
            ]
        )
    )
    return subprocess.run([sys.executable, str(program)], capture_output=True, text=True)


def test_the_log_has_the_stack_of_a_hanging_process(tmp_path):
    ended = run(tmp_path, "try: child('hang', 1.0)", "except DeadlineExceeded: print('late')")
    assert ended.stdout == "late\n", ended.stderr
    assert "in __call__" in ended.stderr


def test_a_hanging_process_ends_with_its_worker(tmp_path):
    ended = run(
        tmp_path,
        "print(child(1, 30)[2], flush=True)",
        "threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGKILL)).start()",
        "child('hang', 60)",
    )
    assert ended.returncode == -signal.SIGKILL
    assert gone(int(ended.stdout))
