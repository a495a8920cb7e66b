"""A deadline for what is done to a row, kept from outside the interpreter lock."""

import faulthandler
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipelines.storage import Storage


@dataclass(frozen=True)
class Watch:
    """Ends the whole process, wherever it hangs, when a step takes longer than `seconds`.

    The one who started the worker sees it die. With a `note` it can read there what was being done
    to which row, and since when.
    """

    seconds: float
    output: Storage | None = None
    note: str = ""
    """A file below `output`."""

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Watch over one step."""
        if self.output:
            began = {"stage": stage, "began": time.time()}
            self.output.write(self.note, json.dumps(began).encode())
        faulthandler.dump_traceback_later(self.seconds, exit=True)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
