"""The work of the commands that run phases.

Ray is imported after the checks of `open_run`: a wrong argument is refused without the wait.
"""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from jobs.runs.summary import summarise
from pipelines.config.config import Config
from pipelines.runs.failures import failures, forget
from pipelines.runs.open_run import open_run, reopen_run
from pipelines.storage import Storage

if TYPE_CHECKING:
    from pipelines.config.sections import Execution


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
