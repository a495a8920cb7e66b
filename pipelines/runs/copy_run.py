"""A run that starts from what another one has done already."""

import json

from pipelines import plugins
from pipelines.config.config import Config
from pipelines.config.fingerprints import PHASES, fingerprints
from pipelines.editors.base import editor_revision
from pipelines.errors import RunError
from pipelines.runs.record import RECORD, read_record
from pipelines.storage import Storage

FOLDERS = {
    "annotate": ("clips", "steps"),
    "plan": ("plan",),
    "edit": ("edits",),
    "measure": ("measures",),
}


def copy_run(old: Storage, new: Storage, config: Config) -> list[str]:
    """Copy to `new` the results of `old` that settings `config` would make in the same way.

    Returns:
        The phases that were copied.

    Raises:
        RunError: there is no run in `old`, or one in `new`.
    """
    record = read_record(old)
    if record is None:
        raise RunError(f"output {old}: there is no run to fork")
    if new.exists(RECORD):
        raise RunError(f"fork {new}: there is a run already; go on with it by --output")
    prints = fingerprints(config)
    revision = editor_revision(plugins.find_editor(config), config)
    kept: list[str] = []
    for phase in PHASES:
        same = record["fingerprints"].get(phase) == prints[phase]
        if phase != "annotate":
            same = same and record["model_revision"] == revision
        if phase not in FOLDERS or phase not in record["phases"] or not same:
            break
        for folder in FOLDERS[phase]:
            for name in old.find(folder, ""):
                new.write(name, old.read(name))
        kept.append(phase)
    record["phases"] = {phase: record["phases"][phase] for phase in kept}
    record.pop("counts", None)
    new.write(RECORD, json.dumps(record, indent=2).encode())
    return kept
