import json
from collections import defaultdict
from typing import Any

from pipelines.config.sections import Execution
from pipelines.errors import RowError
from pipelines.rows import Row, failure
from pipelines.storage import Storage

NOTES = "attempts"
"""The folder of notes about rows that workers died with, below a run's output."""


def note_name(item: str, attempt: str) -> str:
    """The note of an item in a pass, below the output."""
    return f"{NOTES}/{item}/{attempt}.json"


def read_attempts(output: Storage) -> dict[str, dict[str, dict[str, Any]]]:
    """What is noted of each item, by attempt."""
    notes: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for name in output.find(NOTES, ".json"):
        _, item, attempt = name.removesuffix(".json").split("/")
        notes[item][attempt] = json.loads(output.read(name))
    return notes


def give_up_reason(notes: list[dict[str, Any]], execution: Execution) -> Row | None:
    """Why an item with these notes is given up; None if it is not."""
    late = [note for note in notes if note.get("late")]
    deaths = [note for note in notes if note.get("died")]
    if late:
        error = RowError(
            "Deadline",
            f"took longer than {execution.deadline:g} s, execution.deadline, and was ended",
        )
    elif len(deaths) >= execution.attempts:
        error = RowError(
            "WorkerDied",
            f"was alone in {len(deaths)} processes that died (a crash, or out of memory)",
        )
    else:
        return None
    return failure((late or deaths)[-1]["stage"], error)
