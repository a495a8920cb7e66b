"""A run: the phases in order on one output, with a record of what was done."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import plugins, telemetry
from pipelines.causes import cause
from pipelines.cluster import allocate
from pipelines.config.config import Config
from pipelines.editors.base import Editor
from pipelines.errors import RunError
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
from pipelines.storage import Storage
from pipelines.tables import totals
from pipelines.tables.record import SUCCESS, RunRecord, timestamp, write_record

log = logging.getLogger(__name__)

Facts = dict[str, int | float]


@dataclass
class Run:
    """One output folder, and the phases that fill it.

    See `open_run`, which checks everything that can be checked before any work.
    """

    output: Storage
    config: Config
    revision: str
    """Revision of the editor's weights."""
    lease: Lease
    record: RunRecord
    sources: pa.Table
    """The sources that the phases process, rows of `schema.SOURCES`. Publishing takes all that
    were processed before, too."""
    replan: bool = False
    """Discard the existing plan, with all changes made by hand."""

    def all_phases(self) -> None:
        """Run every phase in order."""
        for phase in PHASES:
            phase.run(self)

    def select(self, source_rows: Iterable[str]) -> None:
        """Process only these sources."""
        chosen = pa.array(sorted(set(source_rows)), pa.string())
        self.sources = self.sources.filter(pc.is_in(self.sources["source_row"], chosen))

    def run_phase(self, name: str) -> None:
        """Run one phase of `PHASES`."""
        (phase,) = (phase for phase in PHASES if phase.name == name)
        phase.run(self)

    def annotate(self) -> None:
        with self._phase("annotate") as facts:
            new = 0
            for work in annotate.works(self.sources, self.output, self.config):
                for row in self._completed(work, work.pending(), work.unit):
                    new += row["sources"] if work.unit == "sources" else 0
            facts.update(totals.annotated(self.output), new=new)

    def plan(self) -> None:
        with self._phase("plan") as facts:
            if self.replan:
                self.output.remove("plan")
            editor = plugins.find_editor(self.config)
            facts.update(plan.plan(self.output, self.config, editor, self.revision, self.sources))

    def edit(self) -> None:
        with self._phase("edit") as facts:
            new, busy = Counter(NOTHING_NEW), EditorUtilisation()
            editor = self._refresh_plan()
            work = EditWork(self.output, self.config, editor, self.revision, self.sources)
            pending = work.pending()
            editors = allocate(self.config.execution, len(pending)).workers
            for row in self._completed(work, pending):
                new.update(_new_edits(row))
                busy.add(row)
                telemetry.busy(busy.fraction(editors))
            facts.update(totals.edited(self.output), **new)
            facts["busy_percent"] = round(100 * busy.fraction(editors))

    def measure(self) -> None:
        with self._phase("measure") as facts:
            self._refresh_plan()
            work = MeasureWork(self.output, self.config, self.sources)
            pending = work.pending()
            plugins.check_metrics(self.config, used=len(pending) > 0)
            new = Counter(NOTHING_NEW)
            for row in self._completed(work, pending):
                new.update(_new_edits(row))
            facts.update(totals.measured(self.output, self.config), **new)

    def publish(self) -> None:
        """Write the dataset, its report and card, and `_SUCCESS` if at least one row is ok.

        Raises:
            RunError: no row is ok.
        """
        counts = {"rows": 0, "ok": 0, "rejected": 0, "failed": 0}
        with self._phase("publish") as facts:
            self._refresh_plan()
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

    def _refresh_plan(self) -> type[Editor]:
        """Bring a plan that was changed by hand up to date; returns the editor's class."""
        editor = plugins.find_editor(self.config)
        plan.refresh(self.output, self.config, editor, self.revision)
        return editor

    @contextmanager
    def _phase(self, name: str) -> Iterator[Facts]:
        """Record a phase; yields the facts that are recorded with its seconds."""
        started = time.perf_counter()
        facts: Facts = {}
        telemetry.PHASE.set(name)
        telemetry.event("phase began", phase=name)
        self.output.remove(SUCCESS)
        try:
            yield facts
        except RunError:
            raise
        except Exception as error:
            log.debug("%s stopped", name, exc_info=error)
            raise RunError(f"{name} stopped: {cause(error)}") from error
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


NOTHING_NEW = {"new": 0, "new_failed": 0}


def _new_edits(row: Row) -> Counter[str]:
    """Counts the edits of a committed file."""
    return Counter(new=row["ok"] + row["failed"], new_failed=row["failed"])


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
