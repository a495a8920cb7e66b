"""Opens the run in an output, after all checks that need no work."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

from pipelines import plugins, telemetry
from pipelines.config.config import Config
from pipelines.config.fingerprints import fingerprints
from pipelines.config.loading import load_config, resolve
from pipelines.editors.base import editor_revision, editor_settings
from pipelines.errors import RunError
from pipelines.reliability.lease import Lease
from pipelines.runs.run import Run
from pipelines.schema import SOURCES
from pipelines.sources import find_sources
from pipelines.storage import Storage
from pipelines.tables.record import (
    RunRecord,
    read_record,
    recorded_config,
    refuse_incompatible,
    timestamp,
    write_record,
)
from pipelines.versions import versions


@contextmanager
def open_run(
    output: str, config: Config, input: str, limit: int | None = None, replan: bool = False
) -> Iterator[Run]:
    """Check input, output, plug-ins and weights, and that the output has no incompatible run.

    The output is locked against other processes during the `with` block.

    Args:
        output: folder or fsspec URI of the run.
        config: the run's configuration.
        input: as for `sources.find_sources`.
        limit: maximum number of sources.
        replan: discard an existing plan.

    Raises:
        RunError: in one line, what is wrong. No work was done.
    """
    options = config.execution.storage_options
    storage = Storage(output, options)
    telemetry.RUN.set(str(storage))
    sources = find_sources(input, options, limit, exclude=storage)
    plugins.check_annotators(config, used=True)
    plugins.check_metrics(config, used=True)
    with _locked(storage, config, Storage(input).uri, limit) as (lease, record):
        yield Run(storage, config, record.model_revision, lease, record, sources, replan)


@contextmanager
def reopen_run(
    output: str, assignments: Collection[str] = (), replan: bool = False
) -> Iterator[Run]:
    """Open the run in `output` for its later phases: as `open_run`, without sources.

    Args:
        assignments: settings `section.key=value`, laid over those of the run.

    Raises:
        RunError: there is no run, or in one line, what is wrong. No work was done.
    """
    previous, config = find_run(output, assignments)
    storage = Storage(output, config.execution.storage_options)
    telemetry.RUN.set(str(storage))
    plugins.check_annotators(config, used=False)
    plugins.check_metrics(config, used=False)
    with _locked(storage, config, previous.input, previous.limit) as (lease, record):
        sources = SOURCES.empty_table()
        yield Run(storage, config, record.model_revision, lease, record, sources, replan)


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
def _locked(
    output: Storage, config: Config, input: str | None, limit: int | None
) -> Iterator[tuple[Lease, RunRecord]]:
    """Take the lease of an output, and write the record of the command that begins."""
    revision = _model_revision(config)
    with ExitStack() as held:
        try:
            lease = held.enter_context(Lease(output))
            previous = read_record(output)
        except RunError:
            raise
        except Exception as error:  # object stores have exceptions of their own
            raise RunError(f"output {output} cannot be used: {error}") from error
        record = RunRecord(
            input=input,
            limit=limit,
            config=recorded_config(config),
            fingerprints=fingerprints(config),
            model_revision=revision,
            versions=versions(),
            started=timestamp(),
            phases=previous.phases if previous else {},
        )
        if previous:
            refuse_incompatible(previous, record, output)
        lease.check()
        write_record(output, record)
        yield lease, record


def _model_revision(config: Config) -> str:
    """Returns the revision of the editor's weights, after a check of the editor's settings."""
    try:
        editor = plugins.find_editor(config)
        editor_settings(editor, config)
        return editor_revision(editor, config)
    except Exception as error:
        raise RunError(f"editor {config.editor}: {error}") from error
