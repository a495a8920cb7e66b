"""What the commands do, and the summary that they end with."""

from rich.console import Console
from rich.table import Table

from pipelines.cluster import cluster
from pipelines.config import Config, resolve
from pipelines.errors import RunError
from pipelines.run import Run, open_run, read_record
from pipelines.storage import Storage


def run(input: str, output: str, config: Config, limit: int | None) -> None:
    """All phases."""
    with open_run(output, config, input, limit) as (opened, sources), cluster(config.execution):
        assert sources is not None
        opened.annotate(sources)
        opened.plan()
        opened.edit()
        try:
            opened.publish()
        finally:
            summarise(opened)


def annotate(input: str, output: str, config: Config, limit: int | None) -> None:
    with open_run(output, config, input, limit) as (opened, sources), cluster(config.execution):
        assert sources is not None
        opened.annotate(sources)
    summarise(opened)


def phase(name: str, output: str, assignments: list[str]) -> None:
    """One of the later phases, with the settings that the run was begun with."""
    record = read_record(Storage(output))
    if record is None:
        raise RunError(f"output {output}: no run was begun there; start with `strmatch annotate`")
    config = resolve(record["config"], assignments)
    with open_run(output, config) as (opened, _), cluster(config.execution):
        getattr(opened, name)()
    summarise(opened)


def summarise(run: Run) -> None:
    """Print what each phase did and where things are."""
    record = run.record
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, facts in record["phases"].items():
        done = ", ".join(f"{count} {what}" for what, count in facts.items() if what != "seconds")
        table.add_row(name, f"{facts['seconds']:.1f} s", done)
    Console().print(table)
    counts, edit = record.get("counts"), record["phases"].get("edit", {})
    if counts:
        each = f"; {edit['seconds'] / edit['clips']:.1f} s a clip" if edit.get("clips") else ""
        print(
            f"  {counts['ok']} edits ok, {counts['rejected']} rejected, "
            f"{counts['failed']} failed{each}"
        )
        print(f"  dataset: {run.output}/dataset")
        print(f"  report:  {run.output}/report/index.html")
    else:
        print(f"  output:  {run.output}")
