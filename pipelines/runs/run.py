"""A run: the phases in order on one output, with a record of what was done."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pyarrow as pa
import ray

from pipelines import plugins, telemetry
from pipelines.cluster import allocate
from pipelines.config.config import Config
from pipelines.config.fingerprints import fingerprints
from pipelines.config.loading import load_config, resolve
from pipelines.editors.base import editor_revision, editor_settings
from pipelines.errors import RunError, last_line
from pipelines.phases import annotate, plan, publish
from pipelines.phases.edit import EditWork
from pipelines.phases.measure import MeasureWork
from pipelines.progress import EditorUtilisation, progress
from pipelines.publishing.card import write_card
from pipelines.publishing.report import write_report
from pipelines.reliability.circuit_breaker import CircuitBreaker
from pipelines.reliability.lease import Lease
from pipelines.reliability.resilient_work import PhaseWork, run_to_completion
from pipelines.rows import Row
from pipelines.schema import SOURCES
from pipelines.sources import find_sources
from pipelines.storage import Storage
from pipelines.tables.record import (
    SUCCESS,
    RunRecord,
    read_record,
    recorded_config,
    refuse_incompatible,
    timestamp,
    write_record,
)
from pipelines.versions import versions

log = logging.getLogger(__name__)

Facts = dict[str, int | float]


@dataclass
class Run:
    """One output folder, and the phases that fill it.

    Made by `open_run` and `reopen_run`, which check everything that can be checked before any work.
    """

    output: Storage
    config: Config
    revision: str
    """Revision of the editor's weights."""
    lease: Lease
    record: RunRecord
    sources: pa.Table
    """Rows of `schema.SOURCES` to annotate, with the manifest's own columns."""
    replan: bool = False
    """Discard the existing plan, with all changes made by hand."""

    def all_phases(self) -> None:
        """Run every phase in order."""
        for phase in PHASES:
            phase.run(self)

    def run_phase(self, name: str) -> None:
        """Run one phase of `PHASES`."""
        (phase,) = (phase for phase in PHASES if phase.name == name)
        phase.run(self)

    def annotate(self) -> None:
        with self._phase("annotate") as counts:
            for work in annotate.works(self.sources, self.output, self.config):
                counts.update(dict.fromkeys(work.counts, 0))
                for row in self._completed(work, work.pending(), work.unit):
                    for name in work.counts:
                        counts[name] += row[name]

    def plan(self) -> None:
        with self._phase("plan") as counts:
            if self.replan:
                self.output.remove("plan")
            editor = plugins.find_editor(self.config)
            counts.update(plan.plan(self.output, self.config, editor, self.revision))

    def edit(self) -> None:
        with self._phase("edit") as counts:
            counts.update(clips=0, ok=0, failed=0)
            editor = plugins.find_editor(self.config)
            work = EditWork(self.output, self.config, editor, self.revision)
            pending, busy = work.pending(), EditorUtilisation()
            editors = allocate(self.config.execution, len(pending)).workers
            for row in self._completed(work, pending):
                counts["clips"] += 1
                counts["ok"] += row["ok"]
                counts["failed"] += row["failed"]
                busy.add(row)
                telemetry.busy(busy.fraction(editors))
            counts["busy_percent"] = round(100 * busy.fraction(editors))

    def measure(self) -> None:
        with self._phase("measure") as counts:
            counts.update(clips=0, ok=0, failed=0)
            work = MeasureWork(self.output, self.config)
            pending = work.pending()
            plugins.check_metrics(self.config, used=len(pending) > 0)
            for row in self._completed(work, pending):
                counts["clips"] += 1
                counts["ok"] += row["ok"]
                counts["failed"] += row["failed"]

    def publish(self) -> None:
        """Write the dataset, its report and card, and `_SUCCESS` if at least one row is ok.

        Raises:
            RunError: no row is ok.
        """
        counts = {"rows": 0, "ok": 0, "rejected": 0, "failed": 0}
        with self._phase("publish") as facts:
            rows = publish.publish(self.output, self.config)
            for row in progress(self._held(rows), "publish", None):
                for name in counts:
                    counts[name] += row[name]
            write_report(self.output, self.config, self.record)
            facts.update(counts)
        self.record.counts = counts
        self.record.finished = timestamp()
        write_card(self.output, self.config, self.record)
        self._save()
        if not counts["ok"]:
            raise RunError(
                f"not one row is ok: see error_type and error_message in {self.output}/dataset"
            )
        self.output.write(SUCCESS, b"")

    @contextmanager
    def _phase(self, name: str) -> Iterator[Facts]:
        """Record a phase; yields the facts that are recorded with its seconds."""
        started = time.perf_counter()
        facts: Facts = {}
        telemetry.event("phase began", phase=name)
        self.output.remove(SUCCESS)
        try:
            yield facts
        except ray.exceptions.RayError as error:
            raise RunError(f"{name} stopped: {last_line(error)}") from error
        except OSError as error:
            raise RunError(f"{name} stopped: {error}") from error
        pa.default_memory_pool().release_unused()
        seconds = round(time.perf_counter() - started, 3)
        self.record.phases[name] = {"seconds": seconds, **facts}
        telemetry.event("phase ended", phase=name, seconds=seconds, **facts)
        self._save()

    def _completed(
        self, work: PhaseWork, pending: pa.Table, unit: str | None = None
    ) -> Iterator[Row]:
        """Run a phase's work with progress, metrics and a circuit breaker; yields its rows.

        Args:
            unit: the column that counts the items of a row; by default each row is one item.
        """
        rows = self._watched(work.name, run_to_completion(work, pending))
        return progress(rows, work.name, len(pending), unit)

    def _watched(self, phase: str, rows: Iterable[Row]) -> Iterator[Row]:
        breaker = CircuitBreaker(phase, self.config.execution)
        for row in self._held(rows):
            telemetry.record_rows(phase, row)
            breaker.add(row)
            yield row
        breaker.finish()

    def _held(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.lease.check()
            yield row

    def _save(self) -> None:
        self.lease.check()
        write_record(self.output, self.record)


@dataclass(frozen=True)
class Phase:
    """A phase of a run. Its settings are `fingerprints.SETTINGS` of the same name."""

    name: str
    folders: tuple[str, ...]
    """Folders below the output whose files another run may take over."""
    run: Callable[[Run], None]


PHASES = (
    Phase("annotate", ("clips", "steps"), Run.annotate),
    Phase("plan", ("plan",), Run.plan),
    Phase("edit", ("edits",), Run.edit),
    Phase("measure", ("measures",), Run.measure),
    Phase("publish", (), Run.publish),
)
"""The phases in order."""


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
