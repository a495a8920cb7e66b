"""The report: a folder with a page that shows clips before and after their edits.

    index.html  *.css  *.js    the page; works from a local disk, without network access
    run.js                     facts about all rows, and about the run
    edits.js                   the metrics of single edits, for the counts under other bounds
    rows-000.js …              the listed rows; the page reads one file after the other
    clips/ROW-source.mp4 …     also -edit, and -mask: the source with the mask as an overlay

A page on a local disk can read data only as scripts. The scripts contain escaped JSON only. The
page inserts it as text, never as HTML.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from typing import Any

from pipelines.config.config import Config
from pipelines.publishing.report.clips import MEDIA, write_clips
from pipelines.publishing.report.survey import Survey, survey
from pipelines.rows import Row
from pipelines.schema import METRIC_PREFIX, bounded_column
from pipelines.storage import Storage
from pipelines.tables.outcomes import Outcomes
from pipelines.tables.record import RunRecord

PAGE = (
    *("report.css", "card.js", "overview.js", "bounds.js", "charts.js", "report.js"),
    "index.html",
)
TEXTS = [
    *("row_id", "level", "status", "error_stage", "error_type", "error_message"),
    *("source_uri", "start_seconds", "num_frames", "fps", "height", "width"),
    *("source_prompt", "target_prompt"),
    *("target_kind", "target_where", "edit_where", "source_word", "target_word"),
    *("measure_message", "edit_try", "earlier_tries", "composited", "edits", "edit_metrics"),
]
"""The columns that the page shows, those that a dataset has."""
LONGEST = 2000
"""Maximum number of characters of a text on the page."""
ROWS_A_FILE = 250
CONCURRENT_ROWS = 8
"""Number of rows whose clips are written at the same time."""
ORDER = (("ok", True), ("rejected", True), ("failed", True), ("ok", False))
"""The order of rows on the page: by status, and whether their clips are included."""


def write_report(output: Storage, config: Config, record: RunRecord) -> Outcomes:
    """Write report/ beside the dataset. Only a few rows' videos are in memory at the same time.

    Args:
        output: the run's folder, with a dataset.
        config: `seed` and `execution.report_rows` select the edits whose clips are included.
            `publish.limits` are the bounds in force.
        record: the run's record so far.

    Returns:
        The counts with which the page begins.
    """
    output.remove("report")
    limits = config.publish.bounds
    found = survey(output, config.seed, config.execution.report_rows, limits=limits)
    listed = defaultdict(list)
    for row, videos, with_clips in _rows(output, found):
        listed[row["status"], with_clips].append(script(_entry(row, videos, found.numbers)))
    entries = [entry for group in ORDER for entry in listed[group]]
    parts = [entries[start : start + ROWS_A_FILE] for start in range(0, len(entries), ROWS_A_FILE)]
    for number, part in enumerate(parts):
        text = "addRows([\n" + ",\n".join(part) + "\n]);\n"
        output.write(f"report/rows-{number:03d}.js", text.encode())
    run = found.facts | {"listed": len(entries), "files": len(parts)}
    run |= {"output": output.uri, "record": _so_far(record)}
    run |= {"outcomes": found.outcomes.model_dump(), "metrics": _metrics(found, config)}
    output.write("report/run.js", f"const RUN = {script(run)};\n".encode())
    edits = script(found.edits.as_json())
    output.write("report/edits.js", f"const EDITS = {edits};\n".encode())
    for name in PAGE:
        output.write(
            f"report/{name}", files("pipelines.publishing.report").joinpath(name).read_bytes()
        )
    return found.outcomes


def script(value: Any) -> str:
    """Returns a value as JSON that is safe in a script, also within HTML."""
    text = json.dumps(value, allow_nan=False)  # ASCII only
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"})


def _rows(output: Storage, found: Survey) -> Iterator[tuple[Row, list[str], bool]]:
    """Yields the listed rows, the kinds of their videos, and whether their clips are included."""
    columns = [name for name in TEXTS if name in found.columns] + found.numbers
    write = partial(write_clips, output)
    with ThreadPoolExecutor(CONCURRENT_ROWS) as pool:
        for name, places in found.listed.items():
            shown = [place for place, with_clips in places.items() if with_clips]
            for rows in output.some_rows(name, columns + MEDIA, shown, at_once=CONCURRENT_ROWS):
                for row, videos in zip(rows, pool.map(write, rows), strict=True):
                    yield row, videos, True
            others = [place for place, with_clips in places.items() if not with_clips]
            for rows in output.some_rows(name, columns, others, at_once=ROWS_A_FILE):
                for row in rows:
                    yield row, [], False


def _metrics(found: Survey, config: Config) -> list[dict[str, Any]]:
    """Returns the metrics in the order of `found.edits`, each with its bounds in force."""
    columns = found.edits.columns
    names = {bounded_column(name, columns): name for name in config.measure.metrics}
    metrics = []
    for column in columns:
        name = names.get(column, column.removeprefix(METRIC_PREFIX))
        bounds = config.publish.bounds.get(name)
        ends = {"min": bounds and bounds.min, "max": bounds and bounds.max}
        metrics.append({"name": name, "column": column.removeprefix(METRIC_PREFIX), **ends})
    return metrics


def _entry(row: Row, videos: list[str], numbers: list[str]) -> Row:
    """Returns the data of a row on the page, without missing values."""
    known = {name: _cut(row[name]) for name in TEXTS if row.get(name) is not None}
    if "earlier_tries" in known:
        known["earlier_tries"] = [_cut(each["reason"]) for each in known["earlier_tries"]]
    if "edits" in known:
        shown = ("words", "source_word", "target_word")
        known["edits"] = [{name: _cut(each[name]) for name in shown} for each in known["edits"]]
    if "edit_metrics" in known:
        known["edit_metrics"] = json.loads(row["edit_metrics"])
    values = [_finite(row[name]) if row["level"] == "edit" else None for name in numbers]
    return known | {"numbers": values, "videos": videos}


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST:
        return value[: LONGEST - 1] + "…"
    return value


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _so_far(record: RunRecord) -> dict[str, Any]:
    """Returns the record as JSON values, without the facts of an earlier publication."""
    phases = {name: phase for name, phase in record.phases.items() if name != "publish"}
    return record.model_dump(mode="json") | {"phases": phases}
