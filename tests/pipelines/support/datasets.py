"""A published dataset of forty rows: edits of all kinds, outcomes of all kinds, and odd names."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.english.instructions import instruction_columns
from pipelines.ids import content_id
from pipelines.media.encode import encode_video
from pipelines.schema import DATASET, rows_table, with_extras, with_metrics
from pipelines.storage import Storage

FRAMES, SIZE, RATE = 6, 32, 8.0
ROWS_PER_FILE, ROWS_PER_GROUP = 14, 5
ODD = (
    "a b/ä?*:|<>\"'%20#&.mp4",
    "🎬/../up.mov",
    "-rf",
    "con.mp4",
    "line\nbreak\t.mp4",
    "x" * 300 + ".mp4",
    "s3://bucket/k=v/%2F.mp4",
    "名前.mkv",
)
"""Names of sources."""


class Given(NamedTuple):
    """A target of a clip, with its outcome."""

    kind: str | None
    source: str
    target: str
    prompt: str
    where: str = "subject"
    status: str = "ok"


class GivenClip(NamedTuple):
    caption: str
    subject: str | None
    targets: tuple[Given, ...]


RED_CAR = GivenClip(
    "a red car drives along a road",
    "red car",
    (
        Given("noun_near", "car", "truck", "a red truck drives along a road"),
        Given("recolour", "red", "blue", "a blue car drives along a road"),
    ),
)
DOG = GivenClip(
    'A dog, "Rex", runs; on a beach\n',
    "dog",
    (
        Given("noun_far", "dog", "elephant", 'An elephant, "Rex", runs; on a beach\n'),
        Given(
            "restyle", "dog", "dog made of glass", 'A dog made of glass, "Rex", runs; on a beach\n'
        ),
    ),
)
HORSES = GivenClip(
    "two horses gallop through a meadow",
    "horses",
    (
        Given("noun_near", "horses", "zebras", "two zebras gallop through a meadow"),
        Given(
            "background",
            "through a meadow",
            "along a sandy beach",
            "two horses gallop along a sandy beach",
            "background",
        ),
    ),
)
BOAT = GivenClip(
    "ein Boot fährt 🚤 über den See, <b>&amp;</b>",
    None,
    (
        Given(None, "", "", "ein Schwan schwimmt 🦢 über den See, <b>&amp;</b>"),
        Given(None, "", "", "ein Boot fährt 🚤 nachts über den See", "all", "rejected"),
    ),
)
WOMAN = GivenClip(
    "a woman in a green coat walks",
    "woman",
    (
        Given("recolour", "green", "orange", "a woman in an orange coat walks"),
        Given(
            "noun_near",
            "woman",
            "astronaut",
            "an astronaut in a green coat walks",
            "subject",
            "failed",
        ),
    ),
)
CLIPS = (RED_CAR, DOG, HORSES, BOAT, WOMAN)


def dataset_rows() -> list[dict[str, Any]]:
    """The rows of the dataset: sixteen clips with two targets each, and eight without an edit."""
    rows: list[dict[str, Any]] = []
    for number in range(16):
        given = CLIPS[number % len(CLIPS)]
        clip = _clip(number, given)
        for place, target in enumerate(given.targets):
            row = clip | _edit(number, place, target)
            rows.append(row | instruction_columns(row))
    for number in range(16, 24):
        rows.append(_without_edit(number))
    return rows


def _clip(number: int, given: GivenClip) -> dict[str, Any]:
    return {
        "clip_id": content_id(clip=number),
        "source_id": None,
        "source_uri": f"{number}/{ODD[number % len(ODD)]}",
        "start_seconds": 0.0,
        "fps": RATE,
        "num_frames": FRAMES,
        "height": SIZE,
        "width": SIZE,
        "source_prompt": given.caption,
        "caption_source": "manifest",
        "subject": given.subject,
        "source_video": video(number, 0),
        "seed": 0,
        "label": f"class {number % 3}",
        "package_version": "0.1.0",
    }


def _edit(number: int, place: int, target: Given) -> dict[str, Any]:
    row_id = content_id(edit=number, place=place)
    bad = {"error_stage": "edit", "error_type": "OutOfMemory", "error_message": "of the test"}
    return {
        "row_id": row_id,
        "level": "edit",
        "edit_id": row_id,
        "status": target.status,
        "target_prompt": target.prompt,
        "target_kind": target.kind,
        "source_word": target.source or None,
        "target_word": target.target or None,
        "target_where": target.where,
        "edited_video": None if target.status == "failed" else video(number, place + 1),
        "edit_where": target.where,
        "editor": "str_match",
        "editor_settings": "{}",
        "metric_background": 0.01 * place,
        **({} if target.status == "ok" else bad),
    }


def _without_edit(number: int) -> dict[str, Any]:
    is_clip = number % 2
    row = {
        "row_id": content_id(clip_row=number),
        "level": "clip" if is_clip else "source",
        "clip_id": content_id(clip=number) if is_clip else None,
        "status": "rejected" if is_clip else "failed",
        "error_stage": "find_clips",
        "error_type": "Black" if is_clip else "DecodeFailed",
        "error_message": "of the test",
        "source_uri": f"{number}/{ODD[number % len(ODD)]}",
        "label": "none",
    }
    return row | ({"source_video": video(number, 0)} if is_clip else {})


def video(number: int, place: int) -> bytes:
    """An MP4 whose level of grey names the clip, and whose brighter corner the target."""
    frames = np.full((FRAMES, SIZE, SIZE, 3), 10 * number, np.uint8)
    for index, frame in enumerate(frames):
        frame[index : index + 8, 8 * place : 8 * place + 8] = 255
    return encode_video(frames, RATE)


def write_dataset(output: Storage, drop: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Write the rows as a published dataset of several files and row groups; returns the rows.

    Args:
        drop: columns that the dataset lacks, as one of an older version.
    """
    extras = pa.schema([("label", pa.string())])
    schema = with_extras(with_metrics(DATASET, ["background"]), extras)
    rows = dataset_rows()
    for start in range(0, len(rows), ROWS_PER_FILE):
        table = rows_table(rows[start : start + ROWS_PER_FILE], schema)
        kept = table.select([name for name in schema.names if name not in drop])
        name = f"dataset/part-{start // ROWS_PER_FILE:05d}.parquet"
        output.write_table(name, kept, ROWS_PER_GROUP)
    return rows
