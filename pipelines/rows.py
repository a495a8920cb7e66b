"""Rows and their outcomes: ok, rejected or failed."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipelines.errors import Rejected, RowError
from pipelines.schema import OUTCOME, STATUSES

log = logging.getLogger(__name__)


Row = dict[str, Any]
"""A row of a table, by column."""


def failure(stage: str, error: Exception) -> Row:
    """Returns the outcome columns of a row that was rejected or failed.

    Args:
        stage: the stage that raised the error.
        error: `Rejected`, another `RowError`, or an unexpected exception, which is logged.
    """
    if isinstance(error, RowError):
        kind, message = error.type, error.message
    else:
        kind, message = type(error).__name__, str(error) or "no message"
        log.warning("%s: unexpected %s", stage, kind, exc_info=error)
    return {
        "status": "rejected" if isinstance(error, Rejected) else "failed",
        "error_stage": stage,
        "error_type": kind,
        "error_message": " ".join(message.split())[:500],
    }


FAILURES = pa.list_(pa.struct([(name, pa.string()) for name in ("row_id", *OUTCOME[1:])]))
"""The type of a list of failed rows."""


def outcome(rows: Sequence[Row], key: str = "row_id") -> Row:
    """Returns the summary of rows: their number by status, and `failures` as `FAILURES`.

    Args:
        rows: have the columns `schema.OUTCOME`.
        key: the column that identifies a row.
    """
    counts = Counter(row["status"] for row in rows)
    failed = [row for row in rows if row["status"] == "failed"]
    return {
        **{status: counts[status] for status in STATUSES},
        "failures": [{"row_id": row[key], **{n: row[n] for n in OUTCOME[1:]}} for row in failed],
    }
