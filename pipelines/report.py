"""A page of before and after, for people who would rather look than read."""

from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import cv2
import jinja2
import numpy as np

from pipelines import masks
from pipelines.encode import encode_video
from pipelines.stages.base import Row
from pipelines.storage import Storage
from pipelines.video import decode_video

TINT = np.array([255, 0, 200], np.uint8)
"""A colour that few subjects have."""
COLUMNS = [
    *("row_id", "level", "status", "error_stage", "error_type", "error_message"),
    *("source_uri", "start_seconds", "fps", "source_prompt", "target_prompt", "target_kind"),
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
    chosen: dict[str, set[str]] = {}
    for name in output.find("dataset", ".parquet"):
        rows = output.read_table(name, ["row_id", "status"])
        for row_id, status in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            before = counts["ok"] if status == "ok" else counts.total() - counts["ok"]
            if before < most:
                chosen.setdefault(name, set()).add(row_id)
            counts[status] += 1
    edits: list[dict[str, Any]] = []
    others: list[Row] = []
    for name, wanted in chosen.items():
        for row in _rows(output, name, wanted):
            if row["status"] == "ok":
                edits.append(_write_clips(output, row))
            else:
                others.append(row)
    template = files("pipelines").joinpath("report.html.j2").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(template)
    html = page.render(counts=counts, edits=edits, others=others, total=counts.total())
    output.write("report/index.html", html.encode())


def _rows(output: Storage, name: str, wanted: set[str]) -> Iterator[Row]:
    """Some rows of a file of the dataset, which as a whole may be larger than the memory."""
    left = len(wanted)
    for batch in output.batches(name, COLUMNS, rows=16):
        for row in batch.to_pylist():
            if row["row_id"] in wanted:
                yield row
                left -= 1
        if not left:
            return


def _write_clips(output: Storage, row: Row) -> dict[str, Any]:
    """Write a row's videos as files of the report; returns the row with their names."""
    videos = {"source": row["source_video"], "edit": row["edited_video"]}
    if row["mask"] is not None:
        videos["mask"] = _overlay(row)
    for kind, video in videos.items():
        output.write(f"report/{row['row_id']}-{kind}.mp4", video)
    return row | {"kinds": [kind for kind in ("source", "mask", "edit") if kind in videos]}


def _overlay(row: Row) -> bytes:
    """The source with the mask laid over it: tinted, within an outline."""
    frames = decode_video(row["source_video"]).copy()
    for frame, inside in zip(frames, masks.decode(row["mask"]), strict=True):
        frame[inside] = frame[inside] // 2 + TINT // 2
        outlines, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(frame, outlines, -1, TINT.tolist(), thickness=1)
    return encode_video(frames, row["fps"])
