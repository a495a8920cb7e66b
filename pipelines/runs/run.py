"""A run: the phases in order on one output, with a record of what was done."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
from pipelines.stages.rungs import PLAN_COLUMNS, Rung, further_tries, rungs
from pipelines.storage import Storage
from pipelines.tables import totals
from pipelines.tables.plan import current_plan
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
    tallies: "dict[str, Tally]" = field(default_factory=dict)
    """What EDIT and MEASURE did since their first tries, by phase."""

    def all_phases(self) -> None:
        """Run every phase in order."""
        self.run_phases([phase.name for phase in PHASES])

    def run_phases(self, names: Collection[str]) -> None:
        """Run some of `PHASES` in order. Further tries repeat EDIT and MEASURE."""
        for phase in PHASES:
            if phase.name in names:
                phase.run(self)
            if phase.name == "measure" and {"edit", "measure"} <= {*names}:
                self._further_tries()

    def _further_tries(self) -> None:
        """Make and measure the next try of every edit outside the limits, rung by rung."""
        for _ in range(self.config.edit.tries):
            if not self.edit(first_rung=1):
                return
            self.measure(first_rung=1)

    def select(self, source_rows: Iterable[str]) -> None:
        """Process only these sources."""
        chosen = pa.array(sorted(set(source_rows)), pa.string())
        self.sources = self.sources.filter(pc.is_in(self.sources["source_row"], chosen))

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

    def edit(self, first_rung: int = 0) -> int:
        """Make the tries that are missing; returns their number.

        The planned edits have a first try, and edits that are measured may have further ones.

        Args:
            first_rung: 1 leaves out first tries, and adds to the facts of the last call.
        """
        tally = self._tally("edit", first_rung)
        before = tally.new["new"]
        with self._phase("edit", tally) as facts:
            editor = self._refresh_plan()
            for rung in self._rungs(first_rung):
                work = EditWork(self.output, rung, editor, self.revision)
                pending = work.pending()
                if rung.number and not len(pending):
                    continue
                editors = allocate(self.config.execution, len(pending)).workers
                windows = pc.sum(pending["windows"]).as_py() or 0
                rows = self._completed(work, pending, "windows", windows, tally.breaker)
                for row in rows:
                    tally.add(row)
                    tally.busy.add(row)
                    telemetry.busy(tally.busy.fraction(editors))
                tally.busy.pause(editors)
            facts.update(totals.edited(self.output), **self._tries(), **tally.new)
            facts["busy_percent"] = round(100 * tally.busy.fraction(0))
        return tally.new["new"] - before

    def measure(self, first_rung: int = 0) -> None:
        """Measure the tries that are made. Argument as for `edit`."""
        tally = self._tally("measure", first_rung)
        with self._phase("measure", tally) as facts:
            self._refresh_plan()
            for rung in self._rungs(first_rung):
                work = MeasureWork(self.output, self.config, rung)
                pending = work.pending()
                if rung.number and not len(pending):
                    continue
                plugins.check_metrics(self.config, used=len(pending) > 0)
                for row in self._completed(work, pending, breaker=tally.breaker):
                    tally.add(row)
            facts.update(totals.measured(self.output, self.config), **tally.new)

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
            self.record.outcomes = write_report(self.output, self.config, self.record)
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

    def _tally(self, phase: str, first_rung: int) -> "Tally":
        """Returns a new tally, or that of the phase if further tries follow the first ones."""
        if not first_rung:
            self.tallies[phase] = Tally(CircuitBreaker(phase, self.config.execution))
        return self.tallies[phase]

    def _rungs(self, first: int) -> Iterator[Rung]:
        """Yields the rungs of the sources that are processed, from number `first` on."""
        plan = current_plan(self.output, PLAN_COLUMNS, self.sources)
        return (rung for rung in rungs(self.output, self.config, plan) if rung.number >= first)

    def _tries(self) -> Facts:
        """Returns the number of further tries in the output, if there may be any."""
        if not self.config.edit.tries:
            return {}
        plan = current_plan(self.output, PLAN_COLUMNS)
        return {"tries": further_tries(self.output, self.config, plan)}

    @contextmanager
    def _phase(self, name: str, tally: "Tally | None" = None) -> Iterator[Facts]:
        """Record a phase; yields the facts that are recorded with its seconds.

        Args:
            tally: of a phase that may run several times.
        """
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
        seconds = time.perf_counter() - started
        if tally:
            seconds = tally.seconds = tally.seconds + seconds
        seconds = round(seconds, 3)
        self.record.phases[name] = {"seconds": seconds, **facts}
        telemetry.event("phase ended", phase=name, seconds=seconds, **facts)
        self._save()

    def _completed(
        self,
        work: PhaseWork,
        pending: pa.Table,
        unit: str | None = None,
        total: int | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> Iterator[Row]:
        """Run a phase's work with progress, metrics and a circuit breaker; yields its rows.

        Args:
            unit: the column that counts the progress of a row; by default each row counts once.
            total: sum of the column over all rows. None: the number of pending items.
            breaker: has counted earlier work of the phase. None: there is none.
        """
        breaker = breaker or CircuitBreaker(work.name, self.config.execution)
        rows = self._watched(work.name, run_to_completion(work, pending), breaker)
        return progress(rows, work.name, len(pending) if total is None else total, unit)

    def _watched(self, phase: str, rows: Iterable[Row], breaker: CircuitBreaker) -> Iterator[Row]:
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


@dataclass
class Tally:
    """Sums what a phase does, over first and further tries."""

    breaker: CircuitBreaker
    seconds: float = 0.0
    new: Counter[str] = field(default_factory=lambda: Counter(new=0, new_failed=0))
    """Number of edits that were processed, and how many of them failed."""
    busy: EditorUtilisation = field(default_factory=EditorUtilisation)

    def add(self, row: Row) -> None:
        """Add the edits of a committed file."""
        self.new.update(new=row["ok"] + row["failed"], new_failed=row["failed"])


@dataclass(frozen=True)
class Phase:
    """A phase of a run. Its settings are `fingerprints.SETTINGS` of the same name."""

    name: str
    folders: tuple[str, ...]
    """Folders below the output whose files another run may take over."""
    run: Callable[[Run], object]


PHASES = (
    Phase("annotate", ("clips", "steps", "full"), Run.annotate),
    Phase("plan", ("plan",), Run.plan),
    Phase("edit", ("edits",), Run.edit),
    Phase("measure", ("measures",), Run.measure),
    Phase("publish", (), Run.publish),
)
"""The phases in order."""
