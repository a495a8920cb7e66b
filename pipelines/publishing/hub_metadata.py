"""The YAML metadata of the dataset card, by which the Hugging Face Hub and `datasets` load it.

The metadata name the types of all columns. Without them, `datasets` and the Hub's viewer take the
videos for plain bytes: the types in a Parquet file's own metadata count only where they are stored
as `datasets` stores them, and for a video that is a struct.
"""

from typing import Any

import pyarrow as pa
import yaml

from pipelines.schema import VIDEOS

FILES = "dataset/**/*.parquet"
_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
)
_NAMES = {
    pa.float16(): "float16",
    pa.float32(): "float32",
    pa.float64(): "float64",
    pa.date32(): "date32",
    pa.date64(): "date64",
}
"""Names of types in `datasets` that differ from those in pyarrow."""


def hub_metadata(name: str, schema: pa.Schema, rows: int) -> dict[str, Any]:
    """Returns the metadata by key. A licence is not named: it is that of the sources.

    Args:
        name: of the dataset, for people.
        schema: of the dataset's files; empty if there are none.
        rows: of the dataset.
    """
    data_files = [{"split": "train", "path": FILES}]
    metadata: dict[str, Any] = {
        "pretty_name": name,
        "configs": [{"config_name": "default", "data_files": data_files}],
        "task_categories": ["video-to-video"],
        "size_categories": [next((size for most, size in _SIZES if rows < most), "1B<n<10B")],
        "tags": ["video", "video-editing", "synthetic", "str-match"],
    }
    if schema.names:
        metadata["dataset_info"] = {"features": features(schema)}
    return metadata


def as_yaml(metadata: dict[str, Any]) -> str:
    """Returns metadata as the lines of YAML that begin a card."""
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)}---\n"


def features(schema: pa.Schema) -> list[dict[str, Any]]:
    """Returns the types of columns as `datasets` writes them in a card."""
    return [
        {"name": field.name, "dtype": "video"} if field.name in VIDEOS else _named(field)
        for field in schema
    ]


def _named(field: pa.Field) -> dict[str, Any]:
    return {"name": field.name, **_feature(field.type)}


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_struct(kind):
        return {"struct": [_named(field) for field in kind]}
    if pa.types.is_fixed_size_list(kind):
        return {"list": _item(kind), "length": kind.list_size}
    if pa.types.is_large_list(kind):
        return {"large_list": _item(kind)}
    if pa.types.is_list(kind):
        return {"list": _item(kind)}
    return {"dtype": _NAMES.get(kind, str(kind))}


def _item(kind: pa.DataType) -> Any:
    """Returns the type of a list's items. A type that has one key is its value."""
    item = _feature(kind.value_type)
    return next(iter(item.values())) if item.keys() in ({"dtype"}, {"struct"}) else item
