"""The columns of every table, in one place. Every file that is written is cast to them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

SCHEMA_VERSION = 4

STATUSES = ("ok", "rejected", "failed")
OUTCOME = ("status", "error_stage", "error_type", "error_message")

RLE = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])
"""COCO run-length encoding of one frame's mask: size [height, width] and compressed counts."""

TARGET = pa.struct(
    [
        ("prompt", pa.string()),
        ("kind", pa.string()),  # noun_near | noun_far | recolour | restyle | background
        ("source_word", pa.string()),  # replaced by target_word in the source prompt
        ("target_word", pa.string()),
        ("distance", pa.int32()),  # of the two nouns in the taxonomy; 0: the noun stays
    ]
)
"""A target prompt and how it was derived; of a given one all but the prompt is null."""

_OUTCOME = [
    ("status", pa.string()),  # ok | rejected | failed
    ("error_stage", pa.string()),
    ("error_type", pa.string()),
    ("error_message", pa.string()),
]
_SOURCE = [
    ("source_id", pa.string()),  # the manifest's id
    ("source_uri", pa.string()),  # as given, or relative to the input folder
    ("start_seconds", pa.float64()),
]
_CLIP = [
    ("fps", pa.float64()),
    ("num_frames", pa.int32()),
    ("height", pa.int32()),
    ("width", pa.int32()),
    ("decoder", pa.string()),
    ("source_prompt", pa.string()),
    ("caption_source", pa.string()),  # manifest, or the captioner's name
    ("subject", pa.string()),  # words of the source prompt, or the manifest's
]
_TARGET = [
    ("target_prompt", pa.string()),
    ("target_kind", pa.string()),  # null, like the next three, of a target that was given
    ("source_word", pa.string()),
    ("target_word", pa.string()),
    ("target_distance", pa.int32()),
]
_MEDIA = [
    ("source_video", pa.binary()),  # MP4
    ("mask", pa.list_(RLE)),  # one a frame; null: none
    ("mask_source", pa.string()),  # manifest, or the tracker's name
]

SOURCES = pa.schema(
    [
        ("source_row", pa.string()),  # names this row of the input
        *_SOURCE,
        ("mask_uri", pa.string()),  # as given
        ("caption", pa.string()),
        ("subject", pa.string()),
        ("targets", pa.list_(pa.string())),
        ("location", pa.string()),  # where the video is read
        ("mask_location", pa.string()),
        ("problem", pa.string()),  # why this row of the manifest cannot be used
    ]
)
"""What is to be annotated: one row a source, or a span of one."""

CLIPS = pa.schema(
    [
        ("row_id", pa.string()),
        ("level", pa.string()),  # clip | source
        ("clip_id", pa.string()),  # null for a source without a clip
        *_OUTCOME,
        *_SOURCE,
        ("source_row", pa.string()),
        ("clips_in_source", pa.int32()),
        ("found_row", pa.string()),  # names the clip, whatever is said about it later
        ("found_file", pa.string()),  # the file that holds its source_video, if not this one
        *_CLIP,
        ("targets", pa.list_(TARGET)),
        *_MEDIA,
        ("seconds", pa.float64()),
    ]
)
"""What ANNOTATE commits: one row a clip, or a source that gave none."""

STEP = pa.schema([*CLIPS, ("caption", pa.string())])
"""As CLIPS, before all is said about a clip: with what the manifest says."""

PLAN = pa.schema(
    [
        ("edit_id", pa.string()),
        ("clip_row", pa.string()),  # row_id of the clip
        ("clip_file", pa.string()),  # the file below the output that holds it
        ("clip_id", pa.string()),
        ("source_uri", pa.string()),
        ("start_seconds", pa.float64()),
        ("source_prompt", pa.string()),
        *_TARGET,
        ("seed", pa.int64()),
    ]
)
"""What is to be edited: one row a clip and target."""

EDITS = pa.schema(
    [
        ("edit_id", pa.string()),
        *_OUTCOME,
        ("edited_video", pa.binary()),  # MP4
        ("editor", pa.string()),
        ("editor_settings", pa.string()),  # JSON
        ("model_revision", pa.string()),
        ("seconds", pa.float64()),  # of this edit, its share of the inversion included
        ("inversion_seconds", pa.float64()),  # of the clip, once for all its edits
        ("package_version", pa.string()),
    ]
)
"""What EDIT commits: one row an edit."""

MEASURES = pa.schema(
    [
        ("edit_id", pa.string()),
        *_OUTCOME,
        ("metrics", pa.map_(pa.string(), pa.float64())),  # by name; null: does not apply
        ("measure_seconds", pa.float64()),
    ]
)
"""What MEASURE commits: one row an edit that is ok."""

DATASET = pa.schema(
    [
        ("row_id", pa.string()),
        ("level", pa.string()),  # edit | clip | source
        ("edit_id", pa.string()),
        ("clip_id", pa.string()),
        *_OUTCOME,
        *_SOURCE,
        *_CLIP,
        *_TARGET,
        ("seed", pa.int64()),
        *_MEDIA,
        ("edited_video", pa.binary()),
        ("editor", pa.string()),
        ("editor_settings", pa.string()),
        ("model_revision", pa.string()),
        ("seconds", pa.float64()),
        ("inversion_seconds", pa.float64()),
        ("measure_seconds", pa.float64()),
        ("package_version", pa.string()),
    ]
)
"""What is published, besides the metrics and the manifest's own columns."""

METRIC = "metric_"
"""What the columns of metrics begin with."""
TAKEN = frozenset(SOURCES.names) | frozenset(CLIPS.names) | frozenset(DATASET.names)


def is_taken(name: str) -> bool:
    """Whether a manifest's own column cannot keep this name."""
    return name in TAKEN or name.startswith(METRIC)


def metric_column(metric: str) -> str:
    """The dataset's column for a metric, by its name in a configuration."""
    return METRIC + metric.replace(":", "_").replace(".", "_")


def with_metrics(schema: pa.Schema, metrics: Sequence[str]) -> pa.Schema:
    """`schema` followed by a column for every metric."""
    return pa.schema([*schema, *((metric_column(name), pa.float64()) for name in metrics)])


def with_extras(schema: pa.Schema, extras: pa.Schema) -> pa.Schema:
    """`schema` followed by the manifest's own columns."""
    return pa.schema([*schema, *extras], metadata={"strmatch_schema": str(SCHEMA_VERSION)})


def extras_of(schema: pa.Schema) -> pa.Schema:
    """The manifest's own columns of a sources or clips table."""
    return pa.schema([field for field in schema if not is_taken(field.name)])


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """`table` with exactly the columns and types of `schema`; missing columns become null."""
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def rows_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of `schema`; missing columns become null."""
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def unique(table: pa.Table, key: str) -> pa.Table:
    """The first row of every value of `key`, in order."""
    numbered = pa.table({"key": table[key], "row": np.arange(len(table))})
    first = numbered.group_by("key", use_threads=False).aggregate([("row", "first")])
    return table if len(first) == len(table) else table.take(first["row_first"])
