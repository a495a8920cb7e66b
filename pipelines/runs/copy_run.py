"""A run that starts from the results of another run."""

import logging

from pipelines import plugins
from pipelines.config.config import Config
from pipelines.config.fingerprints import fingerprints
from pipelines.editors.base import editor_revision
from pipelines.errors import RunError
from pipelines.runs.run import PHASES, Run
from pipelines.storage import Storage
from pipelines.tables.plan import is_changed_by_hand
from pipelines.tables.record import RECORD, read_record, write_record

log = logging.getLogger(__name__)


def copy_run(old: Storage, new: Storage, config: Config) -> list[str]:
    """Copy to `new` the results of `old` that are valid under the settings `config`.

    Returns:
        The names of the phases that were copied.

    Raises:
        RunError: there is no run in `old`, or there is one in `new`.
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
        same = record.fingerprints.get(phase.name) == prints[phase.name]
        if phase.name != "annotate":
            same = same and record.model_revision == revision
        done = phase.folders and phase.name in record.phases
        if done and (same or phase.name == "plan"):
            # The prompts of a plan stay valid under any settings, and ids are brought up to date.
            for folder in phase.folders:
                for name in old.find(folder, ""):
                    new.write(name, old.read(name))
        if not done or not same:
            break
        kept.append(phase.name)
    if "annotate" not in kept and is_changed_by_hand(old):
        log.warning(
            "changes made by hand in the plan of %s are lost: clips are annotated again", old
        )
    phases = {name: record.phases[name] for name in kept}
    write_record(
        new, record.model_copy(update={"phases": phases, "counts": None, "outcomes": None})
    )
    return kept


def share_plan(first: Run, other: Run) -> None:
    """Give `other` the clips and the plan of `first`, with ids of its own editor.

    What `other` has is replaced where it differs. Both runs have the same sources and the same
    settings of ANNOTATE.
    """
    annotate, plan, *_ = PHASES
    for folder in annotate.folders:
        _mirror(first.output, other.output, folder)
    for folder in plan.folders:
        other.output.remove(folder)
        _mirror(first.output, other.output, folder)
    other.record.phases[annotate.name] = first.record.phases[annotate.name]
    other.plan()


def _mirror(old: Storage, new: Storage, folder: str) -> None:
    """Make a folder of `new` equal to that of `old`. Files of the same size are not copied."""
    wanted, there = _sizes(old, folder), _sizes(new, folder)
    for name in there.keys() - wanted.keys():
        new.remove(name)
    for name, size in wanted.items():
        if there.get(name) != size:
            new.write(name, old.read(name))


def _sizes(output: Storage, folder: str) -> dict[str, int]:
    names = output.find(folder, "")
    return {name: output.fs.size(output.path(name)) for name in names}
