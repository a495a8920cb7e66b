"""The suite's results as text: a table to look at, Markdown to keep, JSON to compute with."""

import json
import math
from dataclasses import asdict
from typing import Any

from rich.table import Table

from jobs.evaluation.figures import Figure

Results = dict[str, Any]
"""Figures by name, in parts: {"vae_psnr": Figure, "generation": {"colour": Figure, …}, …}."""


def tables(results: Results) -> list[Table]:
    """One table of single figures, one of the edits: a row a method."""
    singles = Table("figure", "value", "95 % interval", box=None, padding=(0, 2))
    for name, figure in _singles(results):
        low, high = show(name, figure.low), show(name, figure.high)
        singles.add_row(name, show(name, figure.value), f"{low} … {high}")
    edits = Table("edit", *_columns(results), box=None, padding=(0, 2))
    for method, figures in results["edits"].items():
        edits.add_row(method, *(show(name, figure.value) for name, figure in figures.items()))
    return [singles, edits]


def markdown(results: Results) -> str:
    """The same two tables."""
    lines = ["| | value | 95 % interval |", "|---|---|---|"]
    for name, figure in _singles(results):
        low, high = show(name, figure.low), show(name, figure.high)
        lines.append(f"| {name} | {show(name, figure.value)} | {low} … {high} |")
    columns = _columns(results)
    lines += ["", f"| edit | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for method, figures in results["edits"].items():
        cells = (show(name, figure.value) for name, figure in figures.items())
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _singles(results: Results) -> list[tuple[str, Figure]]:
    generation = results["generation"].items()
    parts = [(f"generation {name}", figure) for name, figure in generation]
    return parts + [(name, value) for name, value in results.items() if isinstance(value, Figure)]


def _columns(results: Results) -> list[str]:
    return list(next(iter(results["edits"].values())))


def show(name: str, value: float) -> str:
    """The value of the figure `name` with its unit."""
    if math.isnan(value):
        return "–"
    if name.endswith("_psnr"):
        return f"{value:.1f} dB"
    if name.endswith("_px"):
        return f"{value:.1f} px"
    return f"{value:.2f}" if name.endswith("_iou") else f"{100 * value:.0f} %"


def as_json(results: Results) -> str:
    """Strict JSON: every figure as {value, low, high}, null where it is no finite number."""

    def plain(value: Any) -> Any:
        if isinstance(value, Figure):
            return plain(asdict(value))
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(plain(results), indent=2, allow_nan=False) + "\n"
