"""How a command's log looks: for a person, or for a machine."""

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from rich.console import Console
from rich.logging import RichHandler

LogFormat = Literal["text", "json"]
NOISY = ("ray", "httpx", "filelock", "aiobotocore", "botocore", "s3fs", "fsspec")


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, event, and the facts that it came with."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start(log_format: LogFormat) -> None:
    """Log to the terminal, or a JSON line an event to standard error."""
    if log_format == "json":
        handler: logging.Handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
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
