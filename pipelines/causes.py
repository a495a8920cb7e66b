"""Tell the cause of an error, also of one that Ray carried here as text from a worker."""

import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import RunError

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = tuple(os.path.join(FOLDER, name, "") for name in ("strmatch", "pipelines", "jobs"))
_TERMINAL = re.compile(r"\x1b\[[\d;]*m")
_CHAIN = re.compile(
    r"^(?:The above exception was the direct cause of the following exception|"
    r"During handling of the above exception, another exception occurred):$",
    re.MULTILINE,
)
_RAISED = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$")
_OURS = f"{RunError.__module__}."


def cause(error: BaseException) -> str:
    """Return one line: the type and message of an error, or what made Ray raise it.

    Ray repeats an exception of a worker as the text of its tracebacks. The last one that is not of
    Ray itself is the cause; what it was raised from, is named behind it.
    """
    if not type(error).__module__.startswith("ray."):
        return _line(type(error).__name__, str(error))
    text = _TERMINAL.sub("", str(error))
    found = [raised for part in _CHAIN.split(text) if (raised := _raised(part)) is not None]
    if not found:
        return text.strip().splitlines()[0] if text.strip() else type(error).__name__
    told = found[-1]
    return told if found[0].partition(": ")[2] in told else f"{told} ({found[0]})"


def place(error: BaseException) -> str:
    """Return the line of these packages that an error last passed: "pipelines/causes.py:12"."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(PACKAGES)]
    frame = (ours or frames)[-1]
    return f"{os.path.relpath(frame.filename, FOLDER)}:{frame.lineno}"


@contextmanager
def at(stage: str, row: str) -> Iterator[None]:
    """Name the stage and the row in an unexpected exception of the block, as `RunError`."""
    try:
        yield
    except Exception as error:
        raise RunError(f"{stage} of {row}: {cause(error)}") from error


def _raised(text: str) -> str | None:
    """The exception at the end of a traceback's text; None for one of Ray."""
    lines = text.strip().splitlines()
    frame = max((n for n, line in enumerate(lines) if line.startswith('  File "')), default=-1)
    for n in range(frame + 1, len(lines)):
        if match := _RAISED.match(lines[n]):
            if match["type"].startswith("ray."):
                return None
            message = " ".join([match["message"] or "", *lines[n + 1 :]])
            name = "" if match["type"].startswith(_OURS) else match["type"]
            return _line(name.rpartition(".")[2], message)
    return None


def _line(name: str, message: str) -> str:
    words = " ".join(message.split())
    ours: list[type[RunError]] = [RunError, *RunError.__subclasses__()]
    if name in ("", *(kind.__name__ for kind in ours)):
        return words
    return f"{name}: {words}" if words else name
