"""The process between a worker and the process that does its work: see `isolated_process`.

The supervisor runs no part of the work, so that it cannot hang. It forks a child for the work,
passes items on, and replaces a child that died. It kills the child on timeout, and exits with the
child when the worker dies.
"""

import ctypes
import faulthandler
import os
import pickle
import signal
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

from pipelines.reliability.isolated_process import BUILD, DeadlineExceeded, Make, ProcessDied

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl
TRACEBACK_SECONDS = 0.2
"""Seconds after the timeout in which the child writes its traceback to the log."""


def main() -> None:
    worker = Connection(int(sys.argv[1]))
    make, arguments = worker.recv()  # imports what they need
    process: Forked | None = None
    while True:
        try:
            item, seconds = worker.recv()
        except EOFError:
            return
        if process is None or not process.alive():
            process = Forked(make, arguments)
            built = process.answer(worker)
            if item is BUILD or built != READY:
                worker.send_bytes(built)
                continue
        worker.send_bytes(process.answer(worker, seconds, item))


class Forked:
    """A child that answers items. Its first answer is `READY`, or the error of its construction."""

    def __init__(self, make: Make, arguments: tuple[Any, ...]) -> None:
        self.pipe, theirs = Pipe()
        self.pid = os.fork()
        if not self.pid:
            self.pipe.close()
            _serve(theirs, make, arguments)
        theirs.close()

    def alive(self) -> bool:
        return self.pid != 0 and os.waitpid(self.pid, os.WNOHANG) == (0, 0)

    def answer(self, worker: Connection, seconds: float | None = None, item: Any = BUILD) -> bytes:
        """Returns the child's answer to an item, or `ProcessDied` or `DeadlineExceeded`.

        Exits this process and the child if the worker dies.
        """
        try:
            if item is not BUILD:
                self.pipe.send((item, seconds))
            ready = wait([self.pipe, worker], seconds and seconds + TRACEBACK_SECONDS)
            if worker in ready:  # the worker waits for an answer: only its end can be readable
                self.end()
                sys.exit()
            if ready:
                return self.pipe.recv_bytes()
        except (EOFError, OSError):
            self.end()
            return _frame(None, ProcessDied())
        self.end()
        return _frame(None, DeadlineExceeded())

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = 0


def _frame(answer: Any, error: Exception | None = None) -> bytes:
    return pickle.dumps((answer, error))


READY = _frame(None)


def _serve(pipe: Connection, make: Make, arguments: tuple[Any, ...]) -> NoReturn:
    """Build the function, report it, and answer items until the pipe closes."""
    faulthandler.enable()
    if sys.platform == "linux":  # even if the supervisor is killed
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    try:
        function = make(*arguments)
        pipe.send_bytes(READY)
        while True:
            item, seconds = pipe.recv()
            faulthandler.dump_traceback_later(seconds)  # into the worker's log
            try:
                answer = _frame(function(item))
            except Exception as error:
                answer = _of_error(error)
            faulthandler.cancel_dump_traceback_later()
            pipe.send_bytes(answer)
    except EOFError:
        pass
    except Exception as error:
        pipe.send_bytes(_of_error(error))
    os._exit(0)


def _of_error(error: Exception) -> bytes:
    try:
        pickle.loads(frame := _frame(None, error))
    except Exception:
        return _frame(None, RuntimeError(f"{type(error).__name__}: {error}"))
    return frame


if __name__ == "__main__":
    main()
