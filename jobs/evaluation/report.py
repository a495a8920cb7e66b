"""The suite's results as text tables, Markdown and JSON."""

import json
import math
from dataclasses import asdict
from typing import Any

from jobs.evaluation.figures import Figure
from jobs.evaluation.tables import TextTable

Results = dict[str, Any]
"""Figures by name, in parts: {"vae_psnr": Figure, "generation": {"colour": Figure, …}, …}.
In `generation_of_two`, an attribute of a clip is right if it is right for both figures."""


def tables(results: Results) -> list[TextTable]:
    """One table of the single figures with their intervals, if any, and one of the edits."""
    edits = results["edits"]
    columns = list(next(iter(edits.values())))
    singles = [interval_row(name, figure) for name, figure in _singles(results)]
    by_method = TextTable(
        ["edit", *columns],
        [
            [method, *(show(name, figure.value) for name, figure in figures.items())]
            for method, figures in edits.items()
        ],
    )
    if not singles:
        return [by_method]
    return [TextTable(["figure", "value", "95 % interval"], singles), by_method]


def markdown(results: Results) -> str:
    """The tables as Markdown."""
    return "\n\n".join(table.markdown() for table in tables(results))


def interval_row(name: str, figure: Figure) -> list[str]:
    """The cells of a single figure: its name, its value, and its 95 % interval."""
    low, high = show(name, figure.low), show(name, figure.high)
    return [name, show(name, figure.value), f"{low} … {high}"]


def _singles(results: Results) -> list[tuple[str, Figure]]:
    parts = [
        (f"{part} {name}", figure)
        for part in ("generation", "generation_of_two")
        for name, figure in results.get(part, {}).items()
    ]
    return parts + [(name, value) for name, value in results.items() if isinstance(value, Figure)]


def show(name: str, value: float) -> str:
    """The value of the figure `name` with its unit."""
    if math.isnan(value):
        return "–"
    name = name.removeprefix("difference_")
    if name.endswith("_psnr"):
        return f"{value:.1f} dB"
    if name.endswith("_px"):
        return f"{value:.1f} px"
    if name == "seconds":
        return f"{value:.1f} s"
    if name.startswith(("seam", "drift")):
        return f"{value:.2f}"
    return f"{value:.2f}" if name.endswith("_iou") else f"{100 * value:.0f} %"


def as_json(results: Results) -> str:
    """Returns strict JSON: figures as {value, low, high}, null in place of non-finite numbers."""

    def plain(value: Any) -> Any:
        if isinstance(value, Figure):
            return plain(asdict(value))
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(plain(results), indent=2, allow_nan=False) + "\n"
