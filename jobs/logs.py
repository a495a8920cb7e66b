"""The log of a command: text for a person, or JSON lines for a log processor."""

import atexit
import json
import logging
import os
import sys
import threading
from datetime import UTC, datetime
from typing import Literal, TextIO

from rich.console import Console
from rich.logging import RichHandler

from pipelines import telemetry

LogFormat = Literal["text", "json"]
NOISY = ("ray", "filelock", "aiobotocore", "botocore", "s3fs", "fsspec")


log = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """One JSON object per record: time, level, event, run, phase, row_id, and the event's facts.

    Null: not known.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "run": telemetry.RUN.get() or None,
            "phase": telemetry.PHASE.get() or None,
            "row_id": None,
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start(log_format: LogFormat) -> None:
    """Log to standard error: text, or JSON lines only.

    With JSON, whatever else this process writes to standard error becomes events as well: warnings,
    and lines of libraries that do not use Python's log.
    """
    if log_format == "json":
        handler: logging.Handler = logging.StreamHandler(_redirect_stderr())
        handler.setFormatter(JsonLines())
        logging.captureWarnings(True)
    else:
        handler = RichHandler(
            console=Console(stderr=True), show_path=False, show_level=False, log_time_format="%X"
        )
        handler.setFormatter(logging.Formatter("%(message)s"))
        # A person sees progress, and reads about rows in `strmatch failures`.
        logging.getLogger("strmatch.events").setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def last_line(message: str, level: int = logging.ERROR) -> None:
    """Write the line with which a command ends, in the format of the log."""
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    if any(isinstance(formatter, JsonLines) for formatter in formatters):
        log.log(level, message)
    else:
        print(f"strmatch: {message}", file=sys.stderr)


def _redirect_stderr() -> TextIO:
    """Make log events of the lines of standard error; returns the original stream."""
    original = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    os.close(writer)

    def forward() -> None:
        with os.fdopen(reader, encoding="utf-8", errors="replace") as lines:
            for line in filter(None, map(str.strip, lines)):
                logging.getLogger("stderr").warning(line)

    thread = threading.Thread(target=forward, name="stderr", daemon=True)
    thread.start()

    def restore() -> None:
        sys.stderr.flush()
        os.dup2(original.fileno(), 2)
        thread.join(timeout=1.0)  # the pipe stays open where a process of Ray has inherited it

    atexit.register(restore)
    return original
