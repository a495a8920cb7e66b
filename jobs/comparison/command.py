"""The job of `strmatch compare`: a run for every editor, on the clips and the plan of the first."""

import json
from collections.abc import Mapping

from rich.console import Console

from jobs.comparison.page import write_page
from jobs.comparison.results import figures, read_edits
from jobs.comparison.table import table
from jobs.evaluation.report import as_json
from jobs.runs.commands import cluster
from jobs.runs.editors import open_runs, run_all
from pipelines.config.config import Config
from pipelines.errors import RunError
from pipelines.storage import Storage
from pipelines.tables.record import RECORD, SUCCESS

COMPARISON = "comparison.json"
"""The editors of a comparison, in order."""
FIGURES = "figures.json"
VERSION = 1


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
    with open_runs(storage, configs, input, limit) as opened:
        storage.remove(SUCCESS)
        record = {"version": VERSION, "editors": list(configs)}
        storage.write(COMPARISON, json.dumps(record, indent=2).encode())
        with cluster(first.execution):
            run_all(opened)
        edits = {name: read_edits(run.output) for name, run in opened.items()}
        results = figures(edits)
        storage.write(FIGURES, as_json({"version": VERSION, "editors": results}).encode())
        runs = {name: run.output for name, run in opened.items()}
        write_page(storage, first, runs, edits, results)
        storage.write(SUCCESS, b"")
    Console().print(table(results, first.publish.bounds).printable(1))
    print(f"  figures: {storage}/{FIGURES}")
    print(f"  report:  {storage}/report/index.html")


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
