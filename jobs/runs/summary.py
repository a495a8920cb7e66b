"""The summary that a command prints when its phases have ended."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from pipelines.tables.outcomes import OUT_OF_LIMITS, BoundCount, Outcomes, RowCount

if TYPE_CHECKING:
    from pipelines.runs.run import Run

NOT_COUNTS = ("seconds", "busy_percent", "new", "new_failed")
ONLY_SOME = ("rejected", "failed")
"""Counts that are left out if they are 0."""
NO_BREAK = "\N{NO-BREAK SPACE}"
LISTED = 4
"""Maximum number of reasons in a line. `strmatch failures` lists all."""


def summarise(run: "Run") -> None:
    """Print what each phase did, how many edits are ok, why others are not, and where they are."""
    phases, outcomes = run.record.phases, run.record.outcomes
    console = Console()
    table = Table.grid(padding=(0, 2))
    for name, facts in phases.items():
        table.add_row(name, f"{facts['seconds']:.1f} s", _contents(facts))
    console.print(Padding(table, (0, 0, 0, 2)))
    if outcomes is None:
        print(f"  output:  {run.output}")
        return
    print(f"  {headline(outcomes)}")
    for name, listed in why(outcomes):
        print(_line(name, listed, console.width))
    edit = phases.get("edit", {})
    if edit.get("new"):
        print(
            f"  {edit['seconds'] / edit['new']:.1f} s a new edit, "
            f"editors busy {edit['busy_percent']} % of the time"
        )
    print(f"  dataset: {run.output}/dataset")
    print(f"  report:  {run.output}/report/index.html")


def headline(outcomes: Outcomes) -> str:
    """Returns the numbers of edits by status: "14 of 20 edits ok (70 %), 5 rejected, 1 failed"."""
    return (
        f"{outcomes.ok} of {outcomes.planned} edits ok ({outcomes.percent_ok:.0f} %), "
        f"{outcomes.rejected} rejected, {outcomes.failed} failed"
    )


def why(outcomes: Outcomes) -> list[tuple[str, list[str]]]:
    """Returns why edits are not ok, the yield by kind, and why clips and sources have no edit."""
    edits = [each for each in outcomes.rows if each.level == "edit"]
    rejected = [each for each in edits if each.status == "rejected"]
    otherwise = [each for each in rejected if each.error_type != OUT_OF_LIMITS]
    lines = [
        ("rejected", _bounds(outcomes) + _reasons(otherwise)),
        ("failed", _reasons(each for each in edits if each.status == "failed")),
        ("ok", [f"{kind.ok} of {kind.planned} {kind.kind or 'given'}" for kind in outcomes.kinds]),
        ("no edit", _reasons(each for each in outcomes.rows if each.level != "edit")),
    ]
    return [(name, listed) for name, listed in lines if listed]


def _line(name: str, listed: list[str], width: int) -> str:
    """Returns a line of the summary, folded between its items."""
    whole = ", ".join(item.replace(" ", NO_BREAK) for item in listed)
    first, others = f"    {name:<8}  ", " " * 14
    folded = textwrap.fill(whole, width, initial_indent=first, subsequent_indent=others)
    return folded.replace(NO_BREAK, " ")


def _bounds(outcomes: Outcomes) -> list[str]:
    counts = Counter({_name(bound): bound.edits for bound in outcomes.bounds if bound.edits})
    listed = _most(counts)
    if outcomes.by_several:
        edits = "edit" if outcomes.by_several == 1 else "edits"
        listed[-1] += f" ({outcomes.by_several} {edits} by several bounds)"
    return listed


def _name(bound: BoundCount) -> str:
    return f"{bound.metric} {'under' if bound.end == 'min' else 'over'} {bound.value:g}"


def _reasons(rows: Iterable[RowCount]) -> list[str]:
    counts: Counter[str] = Counter()
    for each in rows:
        counts[each.error_type or each.status] += each.rows
    return _most(counts)


def _most(counts: Counter[str]) -> list[str]:
    """Returns the highest counts, and the number of the others: "4 Black", "2 others"."""
    ranked = counts.most_common()
    others = len(ranked) - LISTED
    listed = [f"{count} {reason}" for reason, count in ranked[:LISTED]]
    return [*listed, f"{others} others"] if others > 0 else listed


def _contents(facts: Mapping[str, float]) -> str:
    """Returns what the output holds, and what of this is new: "6 sources, 12 clips (2 new)"."""
    listed = ", ".join(
        f"{count} {what}"
        for what, count in facts.items()
        if what not in NOT_COUNTS and (count or what not in ONLY_SOME)
    )
    if "new" not in facts:
        return listed
    new = f"{facts['new']} new" if facts["new"] else "nothing new"
    failed = f", {facts['new_failed']} failed" if facts.get("new_failed") else ""
    return f"{listed} ({new}{failed})"
