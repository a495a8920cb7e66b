"""What the commands do, and the summary that they end with."""

from collections.abc import Collection
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines.cluster import cluster
from pipelines.config.config import Config
from pipelines.config.loading import load_config, resolve
from pipelines.errors import RunError
from pipelines.runs.copy_run import copy_run
from pipelines.runs.failures import failures, forget
from pipelines.runs.record import read_record
from pipelines.runs.run import Run, open_run
from pipelines.storage import Storage

NOT_COUNTS = ("seconds", "busy_percent")


def run(
    input: str,
    output: str,
    config: Config,
    limit: int | None,
    replan: bool = False,
    again: Collection[str] | None = None,
) -> None:
    """All phases.

    Args:
        replan: plan anew, whatever was changed by hand.
        again: do failed rows again; only those of these error_types, if there are any.
    """
    with open_run(output, config, input, limit) as (opened, sources), cluster(config.execution):
        assert sources is not None
        if again is not None:
            forget(opened.output, config, failures(opened.output, config, again))
        opened.annotate(sources)
        opened.plan(replan)
        opened.edit()
        opened.measure()
        try:
            opened.publish()
        finally:
            summarise(opened)


def annotate(input: str, output: str, config: Config, limit: int | None) -> None:
    with open_run(output, config, input, limit) as (opened, sources), cluster(config.execution):
        assert sources is not None
        opened.annotate(sources)
    summarise(opened)


def fork(
    input: str, output: str, new: str, config: Config, limit: int | None, replan: bool
) -> None:
    """All phases in a folder of their own; what the settings leave valid is copied."""
    options = config.execution.storage_options
    kept = copy_run(Storage(output, options), Storage(new, options), config)
    print(f"  {new}: {', '.join(kept) or 'nothing'} taken from {output}")
    run(input, new, config, limit, replan)


def phase(name: str, output: str, assignments: list[str], **choices: bool) -> None:
    """One of the later phases, with the settings that the run was begun with."""
    _, config = begun(output, assignments)
    with open_run(output, config) as (opened, _), cluster(config.execution):
        getattr(opened, name)(**choices)
    summarise(opened)


def begun(output: str, assignments: list[str]) -> tuple[dict[str, Any], Config]:
    """The record of the run in `output`, and its settings with the assignments on top.

    Raises:
        RunError: there is none.
    """
    execution = [text for text in assignments if text.startswith("execution.")]
    options = load_config(assignments=execution).execution.storage_options
    record = read_record(Storage(output, options))
    if record is None:
        raise RunError(f"output {output}: no run was begun there; start with `strmatch annotate`")
    return record, resolve(record["config"], assignments)


def summarise(run: Run) -> None:
    """Print what each phase did and where things are."""
    record = run.record
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, facts in record["phases"].items():
        done = ", ".join(f"{facts[what]} {what}" for what in facts if what not in NOT_COUNTS)
        table.add_row(name, f"{facts['seconds']:.1f} s", done)
    Console().print(table)
    counts, edit = record.get("counts"), record["phases"].get("edit", {})
    if counts:
        each = ""
        if edit.get("clips"):
            each = f"; {edit['seconds'] / edit['clips']:.1f} s a clip"
            each += f", editors busy {edit['busy_percent']} % of the time"
        print(
            f"  {counts['ok']} edits ok, {counts['rejected']} rejected, "
            f"{counts['failed']} failed{each}"
        )
        print(f"  dataset: {run.output}/dataset")
        print(f"  report:  {run.output}/report/index.html")
    else:
        print(f"  output:  {run.output}")
