"""What a run leaves behind, looked at from outside."""

import json
from typing import Any, Protocol


class Folder(Protocol):
    """A folder: pathlib's, or Airflow's ObjectStoragePath."""

    def __truediv__(self, name: str) -> "Folder": ...
    def exists(self) -> bool: ...
    def read_text(self) -> str: ...


def is_complete(output: Folder) -> bool:
    """Whether a run has made its dataset there."""
    return (output / "_SUCCESS").exists()


def verify(output: Folder) -> dict[str, int]:
    """The counts of a complete run: rows, and of them ok, rejected and failed.

    Raises:
        ValueError: there is no complete run, or its counts do not add up.
    """
    if not is_complete(output):
        raise ValueError(f"{output}: there is no _SUCCESS")
    record = json.loads((output / "run.json").read_text())
    counts: dict[str, Any] = record.get("counts") or {}
    parts = [counts.get(status, 0) for status in ("ok", "rejected", "failed")]
    if not counts or counts["rows"] != sum(parts) or not counts["ok"]:
        raise ValueError(f"{output}: run.json has counts that do not add up: {counts}")
    return counts
