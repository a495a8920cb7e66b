"""The work of the commands that run phases, and their final summary.

Ray is imported after the checks of `open_run`: a wrong argument is refused without the wait.
"""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pipelines.config.config import Config
from pipelines.runs.failures import failures, forget
from pipelines.runs.open_run import open_run, reopen_run
from pipelines.storage import Storage

if TYPE_CHECKING:
    from pipelines.config.sections import Execution
    from pipelines.runs.run import Run

NOT_COUNTS = ("seconds", "busy_percent", "new", "new_failed")


def run(input: str, output: str, config: Config, limit: int | None, replan: bool = False) -> None:
    """All phases.

    Args:
        replan: discard the existing plan, with all changes made by hand.
    """
    with open_run(output, config, input, limit, replan) as opened, cluster(config.execution):
        try:
            opened.all_phases()
        finally:
            if opened.record.finished:
                summarise(opened)


def retry(output: str, types: Collection[str], assignments: list[str]) -> None:
    """The phases that the run has completed, for the rows that failed.

    Args:
        types: error_types to repeat; all if empty.
        assignments: as for `phase`.
    """
    with reopen_run(output, assignments) as opened, cluster(opened.config.execution):
        failed = failures(opened.output, opened.config, types, ("failed",))
        opened.select(row["source_row"] for row in failed)
        forget(opened.output, opened.config, failed)
        opened.run_phases(list(opened.record.phases))
    summarise(opened)


def annotate(input: str, output: str, config: Config, limit: int | None) -> None:
    """The first phase alone."""
    with open_run(output, config, input, limit) as opened, cluster(config.execution):
        opened.run_phases(["annotate"])
    summarise(opened)


def fork(
    input: str, output: str, new: str, config: Config, limit: int | None, replan: bool
) -> None:
    """All phases in the folder `new`; results of `output` that stay valid are copied first."""
    from pipelines.runs.copy_run import copy_run

    options = config.execution.storage_options
    kept = copy_run(Storage(output, options), Storage(new, options), config)
    print(f"  {new}: {', '.join(kept) or 'nothing'} taken from {output}")
    run(input, new, config, limit, replan)


def phase(name: str, output: str, assignments: list[str], replan: bool = False) -> None:
    """One of the later phases, with the settings of the run and the assignments on top."""
    with reopen_run(output, assignments, replan) as opened, cluster(opened.config.execution):
        opened.run_phases([name])
    summarise(opened)


def cluster(execution: "Execution") -> AbstractContextManager[None]:
    """As `pipelines.cluster.cluster`."""
    from pipelines import cluster

    return cluster.cluster(execution)


def summarise(run: "Run") -> None:
    """Print what each phase did, and where the results are."""
    phases, counts = run.record.phases, run.record.counts
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, facts in phases.items():
        table.add_row(name, f"{facts['seconds']:.1f} s", _told(name, facts))
    Console().print(table)
    edit = phases.get("edit", {})
    if counts:
        each = ""
        if edit.get("new"):
            each = f"; {edit['seconds'] / edit['new']:.1f} s a new edit"
            each += f", editors busy {edit['busy_percent']} % of the time"
        print(
            f"  {counts['ok']} edits ok, {counts['rejected']} rejected, "
            f"{counts['failed']} failed{each}"
        )
        print(f"  dataset: {run.output}/dataset")
        print(f"  report:  {run.output}/report/index.html")
    else:
        print(f"  output:  {run.output}")


def _told(phase: str, facts: Mapping[str, float]) -> str:
    """What the output holds, and what of this is new: "6 sources, 12 clips (2 new sources)"."""
    listed = [f"{facts[what]} {what}" for what in facts if what not in NOT_COUNTS]
    unit = "source" if phase == "annotate" else "edit"
    count = facts.get("new", 0)
    new = [f"{count} new {unit}{'s' if count > 1 else ''}"] if count else ["nothing new"]
    if facts.get("new_failed"):
        new.append(f"{facts['new_failed']} of them failed")
    return ", ".join(listed) + (f" ({', '.join(new)})" if "new" in facts else "")
