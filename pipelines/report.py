"""A page of before and after, for people who would rather look than read."""

from collections import Counter
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np

from pipelines import masks
from pipelines.encode import encode_video
from pipelines.stages.base import Row
from pipelines.storage import Storage
from pipelines.video import decode_video

COLUMNS = [
    *("row_id", "level", "status", "error_stage", "error_type", "error_message"),
    *("source_uri", "start_seconds", "fps", "source_prompt", "target_prompt"),
    *("source_video", "edited_video", "mask", "seconds"),
]


def write_report(output: Storage, most: int) -> None:
    """Write report/index.html beside the dataset, with its clips as files.

    Args:
        output: the run's folder, published.
        most: how many edits, and how many rows without one, the page shows.
    """
    output.remove("report")
    counts: Counter[str] = Counter()
    edits: list[dict[str, Any]] = []
    others: list[Row] = []
    for name in output.find("dataset", ".parquet"):
        for row in output.read_table(name, COLUMNS).to_pylist():
            counts[row["status"]] += 1
            if row["status"] == "ok" and len(edits) < most:
                edits.append(_write_clips(output, row))
            elif row["status"] != "ok" and len(others) < most:
                others.append(row)
    template = files("pipelines").joinpath("report.html.j2").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(template)
    html = page.render(counts=counts, edits=edits, others=others, total=counts.total())
    output.write("report/index.html", html.encode())


def _write_clips(output: Storage, row: Row) -> dict[str, Any]:
    """Write a row's videos as files of the report; returns the row with their names."""
    videos = {"source": row["source_video"], "edit": row["edited_video"]}
    if row["mask"] is not None:
        videos["mask"] = _highlight(row)
    for kind, video in videos.items():
        output.write(f"report/{row['row_id']}-{kind}.mp4", video)
    return row | {"kinds": [kind for kind in ("source", "mask", "edit") if kind in videos]}


def _highlight(row: Row) -> bytes:
    """The source with everything outside the mask dimmed."""
    frames = decode_video(row["source_video"])
    inside = masks.decode(row["mask"])[..., None]
    return encode_video(np.where(inside, frames, frames // 4), row["fps"])
