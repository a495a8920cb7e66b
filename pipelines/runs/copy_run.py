"""A new run that starts from the results of another run."""

from pipelines import plugins
from pipelines.config.config import Config
from pipelines.config.fingerprints import fingerprints
from pipelines.editors.base import editor_revision
from pipelines.errors import RunError
from pipelines.runs.run import PHASES
from pipelines.storage import Storage
from pipelines.tables.record import RECORD, read_record, write_record


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
        if not phase.folders or phase.name not in record.phases or not same:
            break
        for folder in phase.folders:
            for name in old.find(folder, ""):
                new.write(name, old.read(name))
        kept.append(phase.name)
    phases = {name: record.phases[name] for name in kept}
    write_record(new, record.model_copy(update={"phases": phases, "counts": None}))
    return kept
