"""The page of a comparison: its figures, and the videos of all editors side by side.

index.html  *.css  *.js    the page, with the cards and the style of a run's report
comparison.js              figures, and the listed edits
clips/ROW-source.mp4 …     as in a run's report
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from typing import Any

from jobs.comparison.results import Edit, Pair
from jobs.comparison.table import is_certain, labels, show
from pipelines.config.config import Config
from pipelines.publishing.report import CONCURRENT_ROWS, script
from pipelines.publishing.report.clips import MEDIA, write_clips
from pipelines.rows import Row
from pipelines.schema import OUTCOME
from pipelines.storage import Storage

OF_REPORT = ("report.css", "card.js")
"""Files of a run's report."""
OWN = ("compare.css", "compare.js", "index.html")
SOURCE = ["source_uri", "start_seconds", "source_prompt", "target_prompt", "source_word"]
SOURCE += ["target_word", "target_kind", "target_where", "width", "height"]


def write_page(
    output: Storage,
    config: Config,
    runs: Mapping[str, Storage],
    edits: Mapping[str, Mapping[Pair, Edit]],
    results: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write report/. Only a few rows' videos are in memory at the same time.

    Args:
        output: the folder of the comparison.
        config: of the first editor. `seed` and `execution.report_rows` select the edits.
        runs: the folders of the editors' runs.
        edits, results: see `jobs.comparison.results`.
    """
    output.remove("report")
    first = next(iter(edits.values()))
    shared = [pair for pair in first if all(pair in own for own in edits.values())]
    chosen = _choose(shared, config.seed, config.execution.report_rows)
    numbers = [number for number in labels(results, {}) if number != "ok"]
    rows: dict[Pair, Row] = {pair: {"edits": []} for pair in chosen}
    for name, own in edits.items():
        wanted = {own[pair].row_id: pair for pair in chosen}
        for row, videos in _written(output, runs[name], [own[p] for p in chosen], own is first):
            pair = wanted[row["row_id"]]
            if own is first:
                rows[pair] |= {key: row[key] for key in SOURCE}
            made = {key: row[key] for key in ("row_id", *OUTCOME)}
            values = [_finite(own[pair].numbers.get(number)) for number in numbers]
            size = {key: rows[pair][key] for key in ("width", "height")}
            rows[pair]["edits"].append(made | size | {"numbers": values, "videos": videos})
    page = {
        "editors": {name: own["edits"] for name, own in results.items()},
        "figures": _shown(results, config),
        "distributions": [{"name": number} for number in numbers],
        "rows": len(shared),
    }
    text = f"const RUN = {script(page)};\nconst ROWS = {script(list(rows.values()))};\n"
    output.write("report/comparison.js", text.encode())
    for package, names in (("pipelines.publishing.report", OF_REPORT), ("jobs.comparison", OWN)):
        for name in names:
            output.write(f"report/{name}", files(package).joinpath(name).read_bytes())


def _choose(pairs: list[Pair], seed: int, most: int) -> list[Pair]:
    """Returns at most `most` pairs, in order. A hash of seed and pair selects among more."""

    def digest(pair: Pair) -> bytes:
        return hashlib.blake2b(repr((seed, pair)).encode(), digest_size=8).digest()

    kept = {*sorted(pairs, key=digest)[:most]}
    return [pair for pair in pairs if pair in kept]


def _written(
    output: Storage, run: Storage, edits: Iterable[Edit], with_source: bool
) -> Iterator[tuple[Row, list[str]]]:
    """Write the videos of edits; yields their rows and the kinds of their videos."""
    places: dict[str, list[int]] = defaultdict(list)
    for edit in edits:
        places[edit.file].append(edit.place)
    media = ["fps", *MEDIA] if with_source else ["edited_video"]
    write = partial(_write, output)
    with ThreadPoolExecutor(CONCURRENT_ROWS) as pool:
        for name, some in places.items():
            columns = ["row_id", *OUTCOME, *SOURCE, *media]
            for rows in run.some_rows(name, columns, some, at_once=CONCURRENT_ROWS):
                yield from zip(rows, pool.map(write, rows), strict=True)


def _write(output: Storage, row: Row) -> list[str]:
    return write_clips(output, {"source_video": None} | row)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _shown(results: Mapping[str, Mapping[str, Any]], config: Config) -> list[Row]:
    """Returns the rows of the table: a label, and per editor a value and maybe a difference."""
    shown = []
    for number, label in labels(results, config.publish.bounds).items():
        cells = []
        for own in results.values():
            cell: Row = {"value": show(number, own["values"].get(number))}
            if number in own.get("differences", {}):
                apart = own["differences"][number]
                cell |= {
                    "difference": show(number, apart, signed=True),
                    "pairs": own["pairs"][number],
                    "certain": is_certain(apart, own["pairs"][number]),
                }
            cells.append(cell)
        shown.append({"label": label, "cells": cells})
    return shown
