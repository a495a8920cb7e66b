"""Synthetic published runs: the rows of the dataset and the record of run.json."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.config.config import Config
from pipelines.config.fingerprints import dump, fingerprints
from pipelines.config.loading import load_config
from pipelines.media import masks
from pipelines.media.encode import encode_video
from pipelines.schema import DATASET, rows_table, with_extras
from pipelines.storage import Storage
from pipelines.tables.record import RunRecord
from strmatch.miniature.scenes import Scene, Sprite, caption, with_attributes
from strmatch.miniature.world import render

FPS = 8.0
METRICS = ("frame_consistency", "clip_similarity", "background_difference", "motion_error")
HOSTILE = [
    "<script>window.hacked = 1; alert(1)</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</script><script>window.hacked = 1</script>",
    "<!--<script>\u2028window.hacked = 1;\u2029]]>&lt;b&gt;",
    "${window.hacked = 1}`'\\\"",
]
SCENES = [
    (
        Scene((Sprite("circle", "red", "right", 24.0, (18.0, 32.0), 28.0),), "bricks"),
        {"shape": "square"},
    ),
    (
        Scene((Sprite("star", "yellow", "up", 26.0, (32.0, 46.0), 26.0),), "stripes"),
        {"colour": "purple"},
    ),
    (
        Scene((Sprite("square", "purple", "left", 22.0, (46.0, 30.0), 28.0),), "checks"),
        {"background": "dots"},
    ),
    (
        Scene((Sprite("triangle", "green", "down", 24.0, (34.0, 18.0), 28.0),), "dots"),
        {"shape": "star"},
    ),
]
KINDS = ["noun_near", "recolour", "background", "noun_far"]


def examples() -> list[dict[str, Any]]:
    """Rows with a clip, a mask and an edit. The last has a given target and no mask."""
    made = []
    for (scene, changed), kind in zip(SCENES, KINDS, strict=True):
        edit = with_attributes(scene, **changed)
        rendered = render([scene, edit])
        source, target = caption(scene), caption(edit)
        (old, new), *_ = [
            pair for pair in zip(source.split(), target.split(), strict=True) if pair[0] != pair[1]
        ]
        made.append(
            {
                "source_prompt": source,
                "target_prompt": target,
                "target_kind": kind,
                "source_word": old,
                "target_word": new,
                "source_video": encode_video(rendered.frames[0].numpy(), FPS),
                "edited_video": encode_video(rendered.frames[1].numpy(), FPS),
                "mask": masks.encode(rendered.masks[0, 0].numpy()),
            }
        )
    made[-1] |= dict.fromkeys(("target_kind", "source_word", "target_word", "mask"))
    return made


def row_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def mixed_rows(count: int) -> list[dict[str, Any]]:
    """Rows in the ratio of eight ok, one rejected and one failed, as an edit or as a source.

    The last rows are ok and contain hostile text.
    """
    made, rows = examples(), []
    rng = np.random.default_rng(0)
    for number in range(count):
        example = made[number % 4]
        row = example | {
            "row_id": row_id(number),
            "level": "edit",
            "status": "ok",
            "source_uri": f"shelf-{number % 7}/clip-{number:04d}.mp4",
            "start_seconds": number % 5 * 2.0,
            "fps": FPS,
            "num_frames": 16,
            "height": 64,
            "width": 64,
            "seconds": round(rng.gamma(9.0, 0.5), 2),
            "metric_frame_consistency": round(1 - rng.gamma(3.0, 0.01), 4),
            "metric_clip_similarity": round(rng.normal(0.31, 0.02), 4),
            "metric_background_difference": round(rng.gamma(2.0, 0.02), 4)
            if example["mask"]
            else None,
            "metric_motion_error": round(rng.gamma(2.5, 0.3), 3),
        }
        if number % 10 == 8:
            row |= {
                "status": "rejected",
                "error_stage": "measure",
                "error_type": "ClipSimilarityTooLow",
                "error_message": "clip_similarity is lower than 0.25",
                "metric_clip_similarity": round(rng.uniform(0.21, 0.25), 4),
            }
        if number % 20 == 9:
            row = _failed_edit(row)
        if number % 20 == 19:
            row = _failed_source(row)
        rows.append(row)
    for row, text in zip(rows[-len(HOSTILE) - 2 :], HOSTILE, strict=False):
        row |= {"source_prompt": f"a {text}", "target_prompt": f"b {text}"}
        row |= {"source_uri": f"{text}.mp4", "target_kind": "recolour"}
        row |= {"source_word": text, "target_word": text}
    return rows


LIMITS = {"clip_similarity": (0.28, None), "motion_error": (0.2, 1.5)}
"""Bounds by metric: minimum and maximum."""


def judged_rows(count: int) -> list[dict[str, Any]]:
    """Rows without videos: edits under `LIMITS`, and every seventh failed, as an edit or a source.

    A third of the edits have no value of clip_similarity. Values lie on the bounds, too.
    """
    rng, rows = np.random.default_rng(1), []
    for number in range(count):
        similarity, error = round(rng.normal(0.3, 0.02), 2), round(rng.gamma(2.5, 0.3), 1)
        row = {
            "row_id": row_id(number),
            "level": "edit",
            "status": "ok",
            "source_uri": f"clip-{number:04d}.mp4",
            "source_prompt": "a cat",
            "target_prompt": "a dog",
            "target_kind": [*KINDS, None][number % 5],
            "target_where": "background" if number % 5 == 2 else "subject",
            "seconds": 1.0,
            "metric_clip_similarity": None if number % 3 == 0 else similarity,
            "metric_motion_error": error,
        }
        broken = []
        for metric, (least, most) in LIMITS.items():
            value = row[f"metric_{metric}"]
            if value is not None and least is not None and value < least:
                broken.append(f"{metric} {value:g} is under {least:g} (publish.limits)")
            if value is not None and most is not None and value > most:
                broken.append(f"{metric} {value:g} is over {most:g} (publish.limits)")
        if broken:
            row |= {"status": "rejected", "error_stage": "measure", "error_type": "OutOfLimits"}
            row |= {"error_message": "; ".join(broken)}
        if number % 14 == 0:
            row = _failed_edit(row)
        if number % 14 == 7:
            row = _failed_source(row)
        rows.append(row)
    return rows


def limited_config() -> Config:
    """The configuration under which `judged_rows` are published."""
    limits: dict[str, Any] = dict.fromkeys(METRICS)  # none of the preset
    for name, bounds in LIMITS.items():
        limits[name] = dict(zip(("min", "max"), bounds, strict=True))
    metrics = f"measure.metrics=[{', '.join(METRICS)}]"
    return load_config(assignments=[metrics, f"publish.limits={json.dumps(limits)}"])


def _failed_edit(row: dict[str, Any]) -> dict[str, Any]:
    return _failed(row, "edit", "OutOfMemory", "the GPU's memory does not hold this clip")


def _failed_source(row: dict[str, Any]) -> dict[str, Any]:
    """The row of the clip's source, which failed instead."""
    kept = {name: row[name] for name in ("row_id", "source_uri")}
    return _failed(kept | {"level": "source"}, "annotate", "DecodeFailed", "holds no frame")


def _failed(row: dict[str, Any], stage: str, kind: str, message: str) -> dict[str, Any]:
    without = {name: value for name, value in row.items() if not name.startswith("metric_")}
    why = {"error_stage": stage, "error_type": kind, "error_message": message}
    return without | {"status": "failed", "edited_video": None, "seconds": None} | why


def publish(
    folder: Path, rows: Sequence[dict[str, Any]], metrics: Sequence[str] = METRICS, files: int = 3
) -> Storage:
    """Write rows as a dataset of several files."""
    output = Storage(str(folder))
    schema = with_extras(
        DATASET, pa.schema([(f"metric_{metric}", pa.float64()) for metric in metrics])
    )
    size = -(-len(rows) // files)
    for number in range(files):
        part = rows_table(rows[number * size : (number + 1) * size], schema)
        output.write_table(f"dataset/part-{number:05d}.parquet", part, row_group_size=50)
    return output


def record_of(config: Config) -> RunRecord:
    return RunRecord(
        input="videos/manifest.jsonl",
        config=dump(config),
        fingerprints=fingerprints(config),
        model_revision="miniature 3f9c2a71",
        versions={"strmatch": "0.1.0", "torch": "2.13.0", "ray": "2.60.0"},
        started="2026-03-01T01:00:00+00:00",
        phases={
            "annotate": {"seconds": 95.2, "clips": 950, "failed": 50},
            "plan": {"seconds": 0.4, "edits": 950},
            "edit": {"seconds": 4312.0, "ok": 900, "failed": 50},
        },
    )
