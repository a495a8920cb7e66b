"""A run: the phases in order, on one output, with a record of what was done."""

import json
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import ray

from pipelines import plugins, telemetry
from pipelines.cluster import allocate
from pipelines.config.config import Config
from pipelines.config.fingerprints import dump, fingerprints
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
from pipelines.runs.record import (
    RECORD,
    SUCCESS,
    read_record,
    refuse_incompatible,
    timestamp,
    without_secrets,
)
from pipelines.sources import find_sources
from pipelines.storage import Storage
from pipelines.versions import versions

log = logging.getLogger(__name__)


@dataclass
class Run:
    """One output folder and what is to be done in it.

    Made by `open_run`, which has checked everything that can be checked before any work.
    """

    output: Storage
    config: Config
    revision: str
    lease: Lease
    record: dict[str, Any] = field(default_factory=dict)

    def all_phases(self, sources: pa.Table) -> None:
        self.annotate(sources)
        self.plan()
        self.edit()
        self.measure()
        self.publish()

    def annotate(self, sources: pa.Table) -> None:
        with self._phase("annotate") as counts:
            for work in annotate.works(sources, self.output, self.config):
                counts.update(dict.fromkeys(work.counts, 0))
                for row in self._completed(work, work.pending(), work.unit):
                    for name in work.counts:
                        counts[name] += row[name]

    def plan(self, anew: bool = False) -> None:
        """Plan what is not planned yet; with `anew`, all, whatever was changed by hand."""
        with self._phase("plan") as counts:
            if anew:
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
        """Write dataset, report and, if there is an ok row, `_SUCCESS`.

        Raises:
            RunError: not one row is ok.
        """
        with self._phase("publish") as counts:
            counts.update(rows=0, ok=0, rejected=0, failed=0)
            rows = publish.publish(self.output, self.config)
            for row in progress(self._held(rows), "publish", None):
                for name in counts:
                    counts[name] += row[name]
            write_report(self.output, self.config, self.record)
        self.record["counts"] = dict(counts)
        self.record["finished"] = timestamp()
        write_card(self.output, self.config, self.record)
        self._save()
        if not counts["ok"]:
            raise RunError(
                f"not one row is ok: see error_type and error_message in {self.output}/dataset"
            )
        self.output.write(SUCCESS, b"")

    @contextmanager
    def _phase(self, name: str) -> Iterator[dict[str, int]]:
        started, counts = time.perf_counter(), {}  # type: float, dict[str, int]
        telemetry.event("phase began", phase=name)
        self.output.remove(SUCCESS)
        try:
            yield counts
        except ray.exceptions.RayError as error:
            raise RunError(f"{name} stopped: {last_line(error)}") from error
        except OSError as error:
            raise RunError(f"{name} stopped: {error}") from error
        pa.default_memory_pool().release_unused()
        seconds = round(time.perf_counter() - started, 3)
        self.record["phases"][name] = {"seconds": seconds, **counts}
        telemetry.event("phase ended", phase=name, seconds=seconds, **counts)
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
        self.output.write(RECORD, json.dumps(self.record, indent=2).encode())


@contextmanager
def open_run(
    output: str, config: Config, input: str | None = None, limit: int | None = None
) -> Iterator[tuple[Run, pa.Table | None]]:
    """Check input, output, plug-ins and weights, and that the output is not another run's.

    The output is held, against other processes, while the `with` block runs.

    Yields:
        The run, and the sources found behind `input`.

    Raises:
        RunError: in one line, what has to be mended. No work was done.
    """
    options = config.execution.storage_options
    storage = Storage(output, options)
    telemetry.RUN.set(str(storage))
    sources = find_sources(input, options, limit, exclude=storage) if input else None
    plugins.check_annotators(config, used=sources is not None)
    plugins.check_metrics(config, used=sources is not None)
    try:
        editor = plugins.find_editor(config)
        editor_settings(editor, config)
        revision = editor_revision(editor, config)
    except Exception as error:
        raise RunError(f"editor {config.editor}: {error}") from error
    with ExitStack() as held:
        try:
            lease = held.enter_context(Lease(storage))
            previous = read_record(storage)
        except RunError:
            raise
        except Exception as error:  # object stores have exceptions of their own
            raise RunError(f"output {output} cannot be used: {error}") from error
        record: dict[str, Any] = {
            "input": Storage(input).uri if input else (previous or {}).get("input"),
            "limit": limit,
            "config": without_secrets(dump(config)),
            "fingerprints": fingerprints(config),
            "model_revision": revision,
            "versions": versions(),
            "started": timestamp(),
            "phases": (previous or {}).get("phases", {}),
        }
        if previous:
            refuse_incompatible(previous, record, output)
        run = Run(storage, config, revision, lease, record)
        run._save()
        yield run, sources
