import json
from datetime import UTC, datetime
from typing import Any

from pipelines.config.fingerprints import differences
from pipelines.errors import RunError
from pipelines.storage import Storage

RECORD = "run.json"


SUCCESS = "_SUCCESS"


def read_record(output: Storage) -> dict[str, Any] | None:
    """What `run.json` says, None where there was no run."""
    return json.loads(output.read(RECORD)) if output.exists(RECORD) else None


def refuse_incompatible(previous: dict[str, Any], record: dict[str, Any], output: str) -> None:
    """Refuse what would mix with the results that are there.

    Publishing starts anew each time, and other metrics are measured beside those that are there.
    """
    done = previous["phases"].keys() - {"measure", "publish"}
    if not done:
        return
    changed = []
    if any(previous["fingerprints"][phase] != record["fingerprints"][phase] for phase in done):
        changed += differences(previous["config"], record["config"])
    if previous["input"] != record["input"]:
        changed.append(f"input: {previous['input']} → {record['input']}")
    if "plan" in done and previous["model_revision"] != record["model_revision"]:
        changed.append(f"weights: {previous['model_revision']} → {record['model_revision']}")
    if changed:
        raise RunError(
            f"output {output} holds a run with other settings ({'; '.join(changed)}): "
            "choose another output, or --fork to one that starts from what stays valid"
        )


def without_secrets(config: dict[str, Any]) -> dict[str, Any]:
    return config | {"execution": config["execution"] | {"storage_options": {}}}


def timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
