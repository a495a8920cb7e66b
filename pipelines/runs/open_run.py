"""Opens the run in an output, after all checks that need no work.

Cheap checks come first. Ray, which takes seconds to import, is imported when all have passed.
"""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pipelines import plugins, telemetry
from pipelines.config.config import Config
from pipelines.config.fingerprints import fingerprints
from pipelines.config.ladder import at_rung
from pipelines.config.loading import load_config, resolve
from pipelines.editors.base import editor_revision, editor_settings
from pipelines.errors import RunError
from pipelines.reliability.lease import LEASE_FOLDER, Lease
from pipelines.runs.preflight import fetch_models
from pipelines.sources.listing import input_address, list_sources
from pipelines.storage import Storage
from pipelines.tables.record import (
    RunRecord,
    read_record,
    recorded_config,
    refuse_incompatible,
    timestamp,
    write_record,
)
from pipelines.tables.sources import SOURCES_FILE, read_sources, write_sources
from pipelines.versions import versions

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.runs.run import Run


@contextmanager
def open_run(
    output: str,
    config: Config,
    input: str,
    limit: int | None = None,
    replan: bool = False,
    exclude: str | None = None,
) -> Iterator["Run"]:
    """Check input, output, plug-ins and weights, and that the output has no incompatible run.

    The output is locked against other processes during the `with` block.

    Args:
        output: folder or fsspec URI of the run.
        config: the run's configuration.
        input: as for `sources.listing.list_sources`.
        limit: maximum number of sources to process, the first ones. Results of other sources stay
            in the dataset.
        replan: discard an existing plan.
        exclude: a folder whose videos are no sources. None: the output.

    Raises:
        RunError: in one line, what is wrong. No work was done.
    """
    options = config.execution.storage_options
    storage = Storage(output, options)
    telemetry.RUN.set(str(storage))
    sources = list_sources(input, config, Storage(exclude, options) if exclude else storage)
    _check_settings(config)
    with _locked(storage) as lease:
        plugins.check_annotators(config, used=True)
        plugins.check_metrics(config, used=True)
        plugins.check_editor(config)
        fetch_models(config)
        record = _begin(storage, lease, config, input_address(input))
        write_sources(storage, sources)
        from pipelines.runs.run import Run

        revision = record.model_revision
        yield Run(storage, config, revision, lease, record, sources.slice(0, limit), replan)


@contextmanager
def reopen_run(
    output: str, assignments: Collection[str] = (), replan: bool = False
) -> Iterator["Run"]:
    """Open the run in `output` for its later phases: as `open_run`, with the sources of the run.

    Args:
        assignments: settings `section.key=value`, laid over those of the run.

    Raises:
        RunError: there is no run, or in one line, what is wrong. No work was done.
    """
    previous, config = find_run(output, assignments)
    storage = Storage(output, config.execution.storage_options)
    telemetry.RUN.set(str(storage))
    _check_settings(config)
    with _locked(storage) as lease:
        record = _begin(storage, lease, config, previous.input)
        sources = run_sources(storage, previous, config)
        if not storage.exists(SOURCES_FILE):  # an output of an older version
            write_sources(storage, sources)
        from pipelines.runs.run import Run

        yield Run(storage, config, record.model_revision, lease, record, sources, replan)


def run_sources(output: Storage, record: RunRecord, config: Config) -> "pa.Table":
    """Returns the sources of a run, all that its input had.

    Raises:
        RunError: an output of an older version, whose input is not known.
        InputError: such an input cannot be read any more.
    """
    sources = read_sources(output)
    if sources is not None:
        return sources
    if record.input is None:
        raise RunError(f"output {output}: run.json names no input")
    return list_sources(record.input, config, exclude=output)


def find_run(output: str, assignments: Collection[str]) -> tuple[RunRecord, Config]:
    """Returns the record of the run in `output`, and its settings with the assignments on top.

    Raises:
        RunError: there is no run.
    """
    execution = [text for text in assignments if text.startswith("execution.")]
    options = load_config(assignments=execution).execution.storage_options
    record = read_record(Storage(output, options))
    if record is None:
        raise RunError(f"output {output}: there is no run; start with `strmatch annotate`")
    return record, resolve(record.config, assignments)


@contextmanager
def _locked(output: Storage) -> Iterator[Lease]:
    """Take the lease of an output. A new output in which no run begins is removed.

    The lease is the first write to the output, and precedes the checks that import model libraries:
    an output that cannot be written is refused within seconds.
    """
    with ExitStack() as released, ExitStack() as held:
        try:
            is_new = not output.exists()
            lease = held.enter_context(Lease(output))
        except RunError:
            raise
        except Exception as error:  # object stores have exceptions of their own
            raise RunError(f"output {output} cannot be used: {error}") from error
        if is_new:
            released.callback(_remove_unused, output)
        yield lease


def _remove_unused(output: Storage) -> None:
    if read_record(output) is None:
        output.remove(LEASE_FOLDER)
        output.remove_empty_root()


def _begin(output: Storage, lease: Lease, config: Config, input: str | None) -> RunRecord:
    """Write the record of the command that begins."""
    previous = read_record(output)
    record = RunRecord(
        input=input,
        config=recorded_config(config),
        fingerprints=fingerprints(config),
        model_revision=_model_revision(config),
        versions=versions(),
        started=timestamp(),
        phases=previous.phases if previous else {},
    )
    if previous:
        refuse_incompatible(previous, record, output)
    lease.check()
    write_record(output, record)
    return record


def _check_settings(config: Config) -> None:
    """Check the settings of all plug-ins. Imports no model library."""
    plugins.check_annotators(config, used=False)
    plugins.check_metrics(config, used=False)
    try:
        editor_settings(plugins.find_editor(config), config)
    except Exception as error:
        raise RunError(f"editor {config.editor}: {error}") from error


def _model_revision(config: Config) -> str:
    """Returns the revision of the editor's weights, which are the same on all rungs."""
    try:
        editor, rungs = plugins.find_editor(config), range(config.edit.tries + 1)
        first, *others = [editor_revision(editor, at_rung(config, number)) for number in rungs]
    except Exception as error:
        raise RunError(f"editor {config.editor}: {error}") from error
    for number, revision in enumerate(others, start=1):
        if revision != first:
            raise RunError(f"edit.ladder, rung {number}: names other weights than the first try")
    return first
