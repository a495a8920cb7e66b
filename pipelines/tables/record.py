"""run.json: the record of a run, and whether other settings may continue the run."""

import json
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from pipelines.config.config import Config
from pipelines.config.fingerprints import differences, dump
from pipelines.errors import RunError
from pipelines.storage import Storage
from pipelines.tables.outcomes import Outcomes

RECORD = "run.json"
SUCCESS = "_SUCCESS"
"""The file that marks a published dataset with at least one row that is ok."""
VERSION = 1


class RunRecord(BaseModel):
    """The content of run.json. Records without a version have the fields of version 1."""

    version: int = VERSION
    """Version of this schema."""
    input: str | None = None
    """URI of the input."""
    config: dict[str, Any]
    """The resolved configuration, without secrets."""
    fingerprints: dict[str, str]
    """Hash of all settings that can change a phase's results, by phase."""
    model_revision: str
    """Revision of the editor's weights."""
    versions: dict[str, str] = {}
    """Versions of this package and its most important dependencies."""
    started: str = ""
    """When the last command began, ISO 8601, UTC."""
    phases: dict[str, dict[str, int | float]] = {}
    """Facts of every completed phase: counts of the output's contents, the number of items that the
    last command processed (`new`), and the seconds of that command."""
    counts: dict[str, int] | None = None
    """Rows of the dataset by status. None: not published by the last command."""
    outcomes: Outcomes | None = None
    """Edits of the dataset by outcome. None: as for `counts`, or published by an older version."""
    finished: str | None = None
    """When the dataset was published, ISO 8601, UTC."""


def read_record(output: Storage) -> RunRecord | None:
    """Returns the record of the run in `output`; None if there is no run.

    Raises:
        RunError: run.json is not a record, or its version is newer than this package.
    """
    if not output.exists(RECORD):
        return None
    try:
        record = RunRecord.model_validate_json(output.read(RECORD))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RunError(f"{output}/{RECORD} is not a run's record: {where} {first['msg']}") from None
    if record.version > VERSION:
        raise RunError(
            f"{output}/{RECORD} has version {record.version}, which needs a newer strmatch"
        )
    return record


def write_record(output: Storage, record: RunRecord) -> None:
    """Write run.json, whole or not at all."""
    output.write(RECORD, json.dumps(record.model_dump(mode="json"), indent=2).encode())


def refuse_incompatible(previous: RunRecord, record: RunRecord, output: Storage) -> None:
    """Refuse to mix results of different settings in one output.

    Publishing always starts from the beginning, and other metrics are committed beside the existing
    ones: these phases allow other settings.

    Raises:
        RunError: settings, input or weights differ; names them.
    """
    done = previous.phases.keys() - {"measure", "publish"}
    if not done:
        return
    changed = []
    if any(previous.fingerprints[phase] != record.fingerprints[phase] for phase in done):
        changed += differences(previous.config, record.config)
    if previous.input != record.input:
        changed.append(f"input: {previous.input} → {record.input}")
    if "plan" in done and previous.model_revision != record.model_revision:
        changed.append(f"weights: {previous.model_revision} → {record.model_revision}")
    if changed:
        raise RunError(
            f"output {output} holds a run with other settings ({'; '.join(changed)}): "
            "choose another output, or `strmatch run --fork` to one that starts from what stays "
            "valid"
        )


def recorded_config(config: Config) -> dict[str, Any]:
    """Returns the configuration as JSON values, without secrets."""
    values = dump(config)
    return values | {"execution": values["execution"] | {"storage_options": {}}}


def timestamp() -> str:
    """Returns the current time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
