"""The record of the experiment in an output of `strmatch prove`."""

import json
from collections.abc import Mapping
from typing import Any

from pipelines.errors import RunError
from pipelines.storage import Storage

RECORD = "experiment.json"


def refuse_another(output: Storage, experiment: Mapping[str, Any]) -> None:
    """Refuse an output that holds another experiment.

    Args:
        output: the output.
        experiment: all that the results depend on, as JSON values.

    Raises:
        RunError: the output holds another experiment. Names what differs.
    """
    if not output.exists(RECORD):
        return
    held = json.loads(output.read(RECORD))
    changed = [name for name, value in experiment.items() if held.get(name) != value]
    if changed:
        raise RunError(
            f"output {output} holds an experiment with another {', '.join(changed)}: repeat its "
            "options, or choose another output"
        )


def record(output: Storage, experiment: Mapping[str, Any]) -> None:
    """Record the experiment of an output."""
    output.write(RECORD, json.dumps(experiment, indent=2).encode())
