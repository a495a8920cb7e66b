"""Attempt records: files below an output that identify the items whose workers died.

A worker that dies cannot report its item. Therefore a record is written before an item is processed
alone, and completed when the item exceeds the deadline or its worker dies.
"""

import json
from collections import defaultdict
from typing import Any

from pipelines.config.sections import Execution
from pipelines.errors import RowError
from pipelines.rows import Row, failure
from pipelines.storage import Storage

ATTEMPTS = "attempts"
"""The folder of attempt records, below a run's output."""


def attempt_file(item: str, attempt: str) -> str:
    """Returns the file of one attempt of an item, below the output."""
    return f"{ATTEMPTS}/{item}/{attempt}.json"


def read_attempts(output: Storage) -> dict[str, dict[str, dict[str, Any]]]:
    """Returns the records of all items: item → attempt → record."""
    records: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for name in output.find(ATTEMPTS, ".json"):
        _, item, attempt = name.removesuffix(".json").split("/")
        records[item][attempt] = json.loads(output.read(name))
    return records


def give_up_reason(records: list[dict[str, Any]], execution: Execution) -> Row | None:
    """Returns the outcome columns of an item whose attempts are used up, else None.

    Args:
        records: all attempts of the item.
        execution: an item fails after one attempt beyond `deadline`, or after `attempts` deaths.
    """
    late = [record for record in records if record.get("late")]
    deaths = [record for record in records if record.get("died")]
    if late:
        error = deadline_exceeded(execution)
    elif len(deaths) >= execution.attempts:
        error = worker_died(len(deaths))
    else:
        return None
    return failure((late or deaths)[-1]["stage"], error)


def deadline_exceeded(execution: Execution) -> RowError:
    """Returns the failure of an item that exceeded its timeout."""
    return RowError(
        "Deadline", f"took longer than {execution.deadline:g} s, execution.deadline, and was ended"
    )


def worker_died(deaths: int) -> RowError:
    """Returns the failure of an item that was alone in processes that died."""
    return RowError(
        "WorkerDied", f"was alone in {deaths} processes that died (a crash, or out of memory)"
    )
