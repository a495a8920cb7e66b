"""The process that stands between a worker and the one that does its work: see `child`.

It runs nothing of the work itself, so that it cannot hang: it forks a process for it, hands items
over, and forks another one when that has died. It ends what takes too long, and when the worker has
gone it ends all.
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
TELLING_SECONDS = 0.2
"""For what is late to say where it hangs."""


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
    """A process that answers items; its first answer is `READY`, or why it could not be built."""

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
        """What it answers to an item, or that it died, or was late and was ended.

        Ends this process with it if the worker goes.
        """
        try:
            if item is not BUILD:
                self.pipe.send((item, seconds))
            ready = wait([self.pipe, worker], seconds and seconds + TELLING_SECONDS)
            if worker in ready:  # it waits for us: if there is something, it is its end
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
    """Build, say so, and answer items, until there are no more."""
    faulthandler.enable()
    if sys.platform == "linux":  # whatever kills the supervisor
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
