"""The columns of every table. Every file is cast to its schema before it is written."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

SCHEMA_VERSION = 6

STATUSES = ("ok", "rejected", "failed")
OUTCOME = ("status", "error_stage", "error_type", "error_message")

TEXT, REAL, WHOLE, BYTES = pa.string(), pa.float64(), pa.int32(), pa.binary()

RLE = pa.struct([("size", pa.list_(WHOLE)), ("counts", TEXT)])
"""COCO run-length encoding of one frame's mask: size [height, width] and compressed counts."""

OBJECT = pa.struct([("id", WHOLE), ("words", TEXT), ("mask", pa.list_(RLE)), ("score", REAL)])
"""An object of a clip: a number, the phrase that names the object, the mask of every frame, and how
certain the tracker is, 0–1; null: not known."""

_CHANGE = [
    ("prompt", TEXT),
    ("kind", TEXT),
    ("source_word", TEXT),
    ("target_word", TEXT),
    ("distance", WHOLE),
    ("where", TEXT),
]
EDIT = pa.struct([("object", WHOLE), ("words", TEXT), *_CHANGE])
"""The edit of one of several objects, see `target_prompt.ObjectEdit`."""

TARGET = pa.struct([*_CHANGE, ("edits", pa.list_(EDIT))])
"""A target prompt, where it applies, and how it was derived. Targets of the manifest have only a
prompt and where. Targets of one object have no edits."""

MEANING = b"meaning"
"""The key of a field's metadata in Parquet files that explains the column."""


def meaning(field: pa.Field) -> str | None:
    """Returns the explanation of a column; None if it is a column of the manifest."""
    text = (field.metadata or {}).get(MEANING)
    return text and text.decode()


def _column(name: str, type: pa.DataType, text: str) -> pa.Field:
    return pa.field(name, type, metadata={MEANING: text})


_OUTCOME = [
    _column("status", TEXT, "ok; rejected (not worth an edit, or not good enough); failed"),
    _column("error_stage", TEXT, "where a row was rejected or failed"),
    _column("error_type", TEXT, "why, as a word"),
    _column("error_message", TEXT, "why, in a line"),
]
_SOURCE = [
    _column("source_id", TEXT, "the manifest's id"),
    _column("source_uri", TEXT, "the source, as given or relative to the input folder"),
    _column("start_seconds", REAL, "where the clip begins in the source, seconds"),
]
_PROPERTIES = [
    _column("source_width", WHOLE, "width of the source as stored, pixels"),
    _column("source_height", WHOLE, "height of the source as stored, pixels"),
    _column("source_pixel_aspect", REAL, "width of the source's pixels by their height"),
    _column("source_rotation", WHOLE, "clockwise rotation of the source for display, degrees"),
    _column("source_rate", REAL, "frames a second that the source states; null: none"),
    _column("source_colour_transfer", TEXT, "transfer characteristics (H.273); null: not stated"),
    _column("source_field_order", TEXT, "progressive, or the source's order of fields; null: none"),
    _column("source_codec", TEXT, "codec of the source"),
    _column("source_decoder", TEXT, "what decoded the source: decord or pyav"),
]
_CLIP = [
    _column("fps", REAL, "frames a second of the clip, the mean if timestamps are given"),
    _column("num_frames", WHOLE, "frames of the clip"),
    _column(
        "timestamps",
        pa.list_(REAL),
        "seconds of each frame from the first, of a variable frame rate; null: evenly spaced",
    ),
    _column("height", WHOLE, "height of the clip, pixels"),
    _column("width", WHOLE, "width of the clip, pixels"),
    _column("source_prompt", TEXT, "what the source shows"),
    _column("caption_source", TEXT, "who says so: manifest, or a captioner"),
    _column("subject", TEXT, "what is edited, in the source prompt's words or the manifest's"),
]
_TARGET = [
    _column("target_prompt", TEXT, "what the edit shows instead"),
    _column(
        "target_kind",
        TEXT,
        "noun_near, noun_far, recolour, restyle, background, several; null: given",
    ),
    _column("source_word", TEXT, "what target_word stands in the place of, in the source prompt"),
    _column("target_word", TEXT, "the word that is new in the target prompt"),
    _column("target_distance", WHOLE, "steps between the nouns in the taxonomy; 0: the same noun"),
    _column("target_where", TEXT, "where the target applies: subject, background or all"),
]
_EDIT_LIST = _column(
    "edit_list", TEXT, "the edits of several objects, a JSON list of schema.EDIT; null: one edit"
)
_EDITS = _column(
    "edits",
    pa.list_(EDIT),
    "what changes in each of several objects: number in objects (null: the background), words, "
    "prompt, kind, source_word, target_word, distance, where; null: one edit, see target_…",
)
_MEDIA = [
    _column("source_video", BYTES, "MP4 (H.264): the clip before the edit"),
    _column(
        "mask",
        pa.list_(RLE),
        "where the subject is, or all that several edits may change, COCO RLE, one a frame; null: "
        "not known",
    ),
    _column("mask_source", TEXT, "who says so: manifest, or a tracker"),
    _column(
        "objects",
        pa.list_(OBJECT),
        "id, words, mask (COCO RLE, one a frame) and score (0–1) of the subject and of the further "
        "objects that an edit may change; null: the subject alone, by mask",
    ),
]
_EDITED = [
    _column("edited_video", BYTES, "MP4 (H.264): the clip after the edit; null: there is none"),
    _column("edit_where", TEXT, "where the edit was made: as target_where; without a mask, all"),
    _column(
        "unread_prompt", TEXT, "end of a prompt that the text encoder did not read; null: none"
    ),
    _column("editor", TEXT, "what edited"),
    _column("editor_settings", TEXT, "all its settings, JSON"),
    _column("model_revision", TEXT, "names the weights"),
    _column("seconds", REAL, "seconds that the row took, its share of the inversion included"),
    _column("inversion_seconds", REAL, "seconds of what all edits of the clip share"),
]
EARLIER_TRY = pa.struct([("settings", TEXT), ("metrics", TEXT), ("reason", TEXT)])
"""A try that was outside the limits: settings of the editor and metrics by name, both JSON, and the
message of the rejection."""
_TRIES = [
    _column("edit_try", WHOLE, "which try the edit is, 0: the first; adds to the editor's seed"),
    _column(
        "earlier_tries",
        pa.list_(EARLIER_TRY),
        "settings (JSON), metrics (JSON) and reason of tries outside the limits; null: none",
    ),
]
_INSTRUCTIONS = [
    _column("instruction", TEXT, "the edit as an instruction in English; null: no edit"),
    _column("inverse_instruction", TEXT, "the way back from the edit to the source; null: no edit"),
]
_COMPOSITED = _column(
    "composited",
    TEXT,
    "what of the source's frames is the edit: mask (the rest is the source's own) or frame (all "
    "that the model was shown); null: the videos have the model's size",
)
_EDIT_ID = _column("edit_id", TEXT, "names the edit by its clip, its prompts and all that made it")
_CLIP_ID = _column("clip_id", TEXT, "names the span of the source and how it was decoded")
_SEED = _column("seed", pa.int64(), "the run's seed")
_EDIT_METRICS = _column(
    "edit_metrics",
    TEXT,
    "metrics of each of `edits`, a JSON list of values by name, of which metric_… has the worst; "
    "null: one edit",
)
_MEASURE_SECONDS = _column("measure_seconds", REAL, "seconds that the metrics took")
_MEASURE_MESSAGE = _column("measure_message", TEXT, "why metrics have no value; null: none")
_PACKAGE_VERSION = _column("package_version", TEXT, "of strmatch")

GIVEN_EDIT = pa.struct(
    [
        ("subject", TEXT),  # words of the caption
        ("target", TEXT),  # words in their place
        ("mask_uri", TEXT),  # as given
        ("mask_label", WHOLE),
        ("mask_location", TEXT),  # where the mask is read
    ]
)
"""The edit of one of several objects that a manifest names."""

SOURCES = pa.schema(
    [
        ("source_row", TEXT),  # names this row of the input
        *_SOURCE,
        ("mask_uri", TEXT),  # as given
        ("mask_label", WHOLE),  # the value that is inside; null: all but 0
        ("caption", TEXT),
        ("subject", TEXT),
        ("targets", pa.list_(TEXT)),
        ("targets_where", pa.list_(TEXT)),  # of each target; null: of the subject
        ("edits", pa.list_(GIVEN_EDIT)),  # of several objects at once
        ("source_version", TEXT),  # changes with the files of the row
        ("location", TEXT),  # where the video is read
        ("mask_location", TEXT),
        ("num_frames", WHOLE),  # of the only clip, from start_seconds on; null: as `clip` says
        ("target_group", TEXT),  # the clips of a group get equal targets; null: each its own
        ("problem", TEXT),  # why this row of the manifest cannot be used
    ]
)
"""The input: one row per source, or span of a source."""

CLIPS = pa.schema(
    [
        ("row_id", TEXT),
        ("level", TEXT),  # clip | source
        _CLIP_ID,  # null for a source without a clip
        *_OUTCOME,
        *_SOURCE,
        ("source_row", TEXT),
        ("source_version", TEXT),  # null in older outputs
        ("clips_in_source", WHOLE),
        ("found_row", TEXT),  # identifies the clip in all steps of ANNOTATE
        ("found_file", TEXT),  # the file that holds its source_video, if not this one
        *_CLIP,
        *_PROPERTIES,
        ("targets", pa.list_(TARGET)),
        *_MEDIA,
        ("seconds", REAL),
    ]
)
"""The result of ANNOTATE: one row per clip, and per source without a clip."""

STEP = pa.schema(
    [*CLIPS, ("caption", TEXT), ("target_group", TEXT), ("given_edits", pa.list_(GIVEN_EDIT))]
)
"""The intermediate result of ANNOTATE: CLIPS, and what the source says of caption and targets."""

FULL_SIZE = pa.schema([_CLIP_ID, *_OUTCOME, ("full_video", BYTES)])
"""The clip at the source's size, one row a file: MP4 (H.264), null if it cannot be made."""

PLAN = pa.schema(
    [
        _EDIT_ID,
        ("clip_row", TEXT),  # row_id of the clip
        ("clip_file", TEXT),  # the file below the output that holds it
        ("num_frames", WHOLE),  # of the clip; null in older outputs
        _CLIP_ID,
        ("source_uri", TEXT),
        ("start_seconds", REAL),
        ("source_prompt", TEXT),
        *_TARGET,
        _EDIT_LIST,
        _SEED,
        ("row_checksum", TEXT),  # differs if the row was changed by hand
    ]
)
"""The plan: one row per clip and target."""

EDITS = pa.schema([_EDIT_ID, *_OUTCOME, *_EDITED, _PACKAGE_VERSION])
"""The result of EDIT: one row per edit."""

MEASURES = pa.schema(
    [
        _EDIT_ID,
        *_OUTCOME,
        ("metrics", pa.map_(TEXT, REAL)),  # by name; null: no value
        ("worst", pa.map_(TEXT, REAL)),  # of the worst window, by name; null: one window
        ("by_object", pa.list_(pa.map_(TEXT, REAL))),  # of each of several edits; null: one edit
        _MEASURE_SECONDS,
        _MEASURE_MESSAGE,
    ]
)
"""The result of MEASURE: one row per edit that is ok."""

DATASET = pa.schema(
    [
        _column("row_id", TEXT, "names the row; unique, never null"),
        _column("level", TEXT, "edit, clip (one without an edit) or source (one without a clip)"),
        _EDIT_ID,
        _CLIP_ID,
        *_OUTCOME,
        *_SOURCE,
        *_PROPERTIES,
        *_CLIP,
        *_TARGET,
        _EDITS,
        *_INSTRUCTIONS,
        _SEED,
        *_MEDIA,
        *_EDITED,
        _COMPOSITED,
        *_TRIES,
        _EDIT_METRICS,
        _MEASURE_SECONDS,
        _MEASURE_MESSAGE,
        _PACKAGE_VERSION,
    ]
)
"""The published dataset, without metrics and the manifest's own columns."""

VIDEOS = ("source_video", "edited_video")
"""The dataset's columns of MP4 files."""

METRIC_PREFIX = "metric_"
"""The prefix of the columns of metrics."""
WORST_SUFFIX = "_worst"
"""The suffix of the columns of metrics in the worst window of a clip."""
OLD = frozenset({"decoder"})
"""Columns of older outputs."""
TAKEN = OLD.union(SOURCES.names, CLIPS.names, DATASET.names)


def is_taken(name: str) -> bool:
    """Whether a name is reserved, and no column of a manifest may have it."""
    return name in TAKEN or name.startswith(METRIC_PREFIX)


def metric_column(metric: str) -> str:
    """Returns the dataset's column for a metric, by the metric's name in a configuration."""
    return METRIC_PREFIX + metric.replace(":", "_").replace(".", "_")


def worst_column(metric: str) -> str:
    """Returns the dataset's column for the worst window of a metric."""
    return metric_column(metric) + WORST_SUFFIX


def bounded_column(metric: str, columns: Sequence[str]) -> str:
    """Returns the column that limits of a metric apply to: of the worst window, if there is one."""
    worst = worst_column(metric)
    return worst if worst in columns else metric_column(metric)


def with_metrics(
    schema: pa.Schema, metrics: Sequence[str], windowed: Collection[str] = ()
) -> pa.Schema:
    """Returns `schema` followed by a column for every metric.

    Args:
        windowed: metrics that have a column for their worst window, too.
    """
    names = [
        [metric_column(name), worst_column(name)][: 1 + (name in windowed)] for name in metrics
    ]
    return pa.schema([*schema, *((name, REAL) for pair in names for name in pair)])


def with_extras(schema: pa.Schema, extras: pa.Schema) -> pa.Schema:
    """Returns `schema` followed by the manifest's own columns."""
    return pa.schema([*schema, *extras], metadata={"strmatch_schema": str(SCHEMA_VERSION)})


def with_options(schema: pa.Schema, options: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """`schema` that records the options of annotators and metrics as JSON in its metadata."""
    if not options:
        return schema
    recorded = {"strmatch_options": json.dumps(options)}
    return schema.with_metadata((schema.metadata or {}) | recorded)


def extras_of(schema: pa.Schema) -> pa.Schema:
    """Returns the manifest's own columns in the schema of a sources or clips table."""
    return pa.schema([field for field in schema if not is_taken(field.name)])


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Returns `table` with exactly the columns of `schema`; missing columns become null."""
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def rows_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Returns rows as a table of `schema`; missing columns become null."""
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def unique(table: pa.Table, key: str) -> pa.Table:
    """Returns the first row of every value of `key`, in order."""
    numbered = pa.table({"key": table[key], "row": np.arange(len(table))})
    first = numbered.group_by("key", use_threads=False).aggregate([("row", "first")])
    return table if len(first) == len(table) else table.take(first["row_first"])
