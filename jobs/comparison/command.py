"""The job of `strmatch compare`: a run for every editor, on the clips and the plan of the first."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console

from jobs.comparison.page import write_page
from jobs.comparison.results import figures, read_edits
from jobs.comparison.table import table
from jobs.evaluation.report import as_json
from jobs.runs.commands import cluster
from pipelines import telemetry
from pipelines.config.config import Config
from pipelines.errors import InputError, RunError
from pipelines.runs.open_run import open_run
from pipelines.storage import Storage
from pipelines.tables.record import RECORD, SUCCESS

COMPARISON = "comparison.json"
"""The editors of a comparison, in order."""
FIGURES = "figures.json"
VERSION = 1

log = logging.getLogger(__name__)


def compare(input: str, output: str, configs: Mapping[str, Config], limit: int | None) -> None:
    """Edit the clips of an input by several editors, and write and print how they compare.

    OUTPUT/editors/NAME is the run of an editor. The first one finds the clips and plans the edits
    of all. A repeated call continues, and may add editors.

    Args:
        input, limit: as for `open_run`.
        output: folder or fsspec URI.
        configs: by the name of the editor.

    Raises:
        RunError: in one line, what is wrong. Before any work, if it can be found out before.
    """
    first = next(iter(configs.values()))
    storage = Storage(output, first.execution.storage_options)
    _refuse_another(storage, list(configs))
    with ExitStack() as stack:
        opened = {}
        for name, config in configs.items():
            folder = f"{storage}/editors/{name}"
            with _naming(name):
                run = open_run(folder, config, input, limit, exclude=output)
                opened[name] = stack.enter_context(run)
        storage.remove(SUCCESS)
        record = {"version": VERSION, "editors": list(configs)}
        storage.write(COMPARISON, json.dumps(record, indent=2).encode())
        stack.enter_context(cluster(first.execution))
        _run_all(opened)
        edits = {name: read_edits(run.output) for name, run in opened.items()}
        results = figures(edits)
        storage.write(FIGURES, as_json({"version": VERSION, "editors": results}).encode())
        runs = {name: run.output for name, run in opened.items()}
        write_page(storage, first, runs, edits, results)
        storage.write(SUCCESS, b"")
    Console().print(table(results, first.publish.bounds).printable(1))
    print(f"  figures: {storage}/{FIGURES}")
    print(f"  report:  {storage}/report/index.html")


def _run_all(opened: Mapping[str, Any]) -> None:
    from pipelines.runs.copy_run import share_plan

    first, *_ = opened.values()
    for name, run in opened.items():
        telemetry.RUN.set(str(run.output))
        log.info("editor %s", name)
        if run is first:
            run.run_phases(["annotate", "plan"])
        else:
            share_plan(first, run)
        with _naming(name):
            run.run_phases(["edit", "measure"])
            try:
                run.run_phases(["publish"])
            except RunError:
                if run.record.counts is None:
                    raise
                log.warning("editor %s: no edit is ok", name)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Name an editor in the errors of the block that are its own, as far as they do not."""
    try:
        yield
    except InputError:
        raise
    except RunError as error:
        if name in str(error):
            raise
        raise RunError(f"{name}: {error}") from error


def _refuse_another(output: Storage, names: list[str]) -> None:
    """Refuse an output that holds something else than a comparison of these editors, or of some.

    Raises:
        RunError: the output holds a run, or another comparison.
    """
    if output.exists(RECORD):
        raise RunError(f"output {output} holds a run: choose another output for the comparison")
    if not output.exists(COMPARISON):
        return
    try:
        held = json.loads(output.read(COMPARISON))["editors"]
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{output}/{COMPARISON} is not a comparison's record") from None
    if held[0] != names[0] or not {*held} <= {*names}:
        raise RunError(
            f"output {output} holds a comparison of {','.join(held)}: name these first, or choose "
            "another output"
        )
