"""Errors of the libraries that read videos, as errors of a row."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

import av

from pipelines.errors import RowError


@contextmanager
def row_errors(what: str) -> Iterator[None]:
    """Convert any exception of a library to a `RowError` with a message of one line."""
    try:
        yield
    except RowError:
        raise
    except Exception as error:
        unreadable = isinstance(error, OSError) and not isinstance(error, av.error.FFmpegError)
        # EINVAL comes from a seek to an invalid position, caused by a damaged header.
        unreadable = unreadable and getattr(error, "errno", None) != errno.EINVAL
        cause = f"{what} ({one_line(error)}); copy or encode the file again"
        raise RowError("Unreadable" if unreadable else "DecodeFailed", cause) from error


def one_line(error: Exception) -> str:
    """Return the first line of an error, without URL queries, which may hold a signature."""
    text = getattr(error, "strerror", None) or str(error)
    line = next(iter(text.splitlines()), "")[:200]
    return f"{type(error).__name__}: " + re.sub(r"[?]\S+", "?...", line)
