"""Convert the rows of a manifest to sources. A wrong cell is a problem of its row."""

import json
import math
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pipelines.errors import InputError
from pipelines.sources.manifest_edits import read_edits
from pipelines.sources.manifest_file import KNOWN, Manifest
from pipelines.storage import address
from strmatch.metrics.base import Where
from strmatch.weights.remote import is_remote

PLACES = get_args(Where)
ROWS_AT_ONCE = 10_000
"""Rows that are Python objects at the same time."""


def source_rows(manifest: Manifest, fs: Any, folder: str) -> Iterator[dict[str, Any]]:
    """Yields the rows of `schema.SOURCES` of a manifest.

    Args:
        fs, folder: where the manifest lies. Relative URIs start there.
    """
    table = manifest.table.select([name for name in KNOWN if name in manifest.table.column_names])
    rows = (row for batch in table.to_batches(ROWS_AT_ONCE) for row in batch.to_pylist())
    for index, row in enumerate(rows):
        problems = list(manifest.problems.get(index, ()))
        source = _source(row, fs, folder, problems)
        told = f"{manifest.places[index]}: {'; '.join(problems)}" if problems else None
        yield source | {"problem": told}


def with_ids(uri: str, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields the rows unchanged.

    Raises:
        InputError: an id is used for two videos.
    """
    named: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        first = named.setdefault(row["source_id"], row["source_uri"])
        if row["source_id"] is not None and first != row["source_uri"]:
            raise InputError(
                f"manifest {uri}, row {number}: id {row['source_id']!r} already names {first!r}, "
                f"not {row['source_uri']!r}; an id belongs to one video"
            )
        yield row


def _source(row: Mapping[str, Any], fs: Any, folder: str, problems: list[str]) -> dict[str, Any]:
    uri, mask_uri = row.get("uri"), row.get("mask_uri")
    source: dict[str, Any] = {
        "source_id": None if row.get("id") is None else str(row["id"]),
        "source_uri": uri if isinstance(uri, str) else None,
        "caption": _words("caption", row, problems),
        "subject": _words("subject", row, problems),
        "start_seconds": _seconds(row.get("start_seconds"), problems),
        **_targets(row.get("targets"), row.get("where"), problems),
        "mask_uri": None if mask_uri is None else str(mask_uri),
        "mask_label": _label(row.get("mask_label"), problems),
        "edits": read_edits(
            row, lambda uri: _resolve(uri, fs, folder, "mask_uri", problems), _label, problems
        ),
        "location": None,
        "mask_location": None,
    }
    if not isinstance(uri, str) or not uri:
        problems.append("uri is missing")
    else:
        source["location"] = _resolve(uri, fs, folder, "uri", problems)
    if mask_uri is not None:
        source["mask_location"] = _resolve(str(mask_uri), fs, folder, "mask_uri", problems)
    return source


def _resolve(uri: str, fs: Any, folder: str, name: str, problems: list[str]) -> str | None:
    try:
        if is_remote(uri) or uri.startswith("/") or ":/" in uri:
            return address(uri, name)
    except InputError as error:
        problems.append(str(error))
        return None
    path = posixpath.normpath(posixpath.join(folder or "/", uri))
    if not path.startswith(f"{folder.rstrip('/')}/"):
        problems.append(f"{name} {uri} leaves the manifest's folder")
        return None
    return fs.unstrip_protocol(path)


def _words(name: str, row: Mapping[str, Any], problems: list[str]) -> str | None:
    value = row.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if not isinstance(value, str) or not value.strip():
        problems.append(f"{name} must be a text that is not empty")
        return None
    return value


def _seconds(value: Any, problems: list[str]) -> float | None:
    if value is None or value == "NaN" or value != value:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        problems.append(f"start_seconds must be a number ≥ 0, got {value!r}")
        return None
    return seconds


def _label(value: Any, problems: list[str]) -> int | None:
    if value is None or value != value:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (number.is_integer() and 0 <= number < 2**16):
        problems.append(f"mask_label must be a whole number from 0 to 65535, got {value!r}")
        return None
    return int(number)


def _targets(value: Any, where: Any, problems: list[str]) -> dict[str, Any]:
    """Returns targets and targets_where of a source.

    Args:
        value: a list of texts and of objects with "prompt" and "where", or that list as JSON.
        where: where the targets apply that do not say so.
    """
    nothing: dict[str, Any] = dict.fromkeys(("targets", "targets_where"))
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            problems.append(f"targets must be a JSON list of texts, got {value!r}")
            return nothing
    if where is not None and where == where and where not in PLACES:
        problems.append(f"where must be one of {', '.join(PLACES)}, got {where!r}")
        return nothing
    if value is None:
        return nothing
    said = [t if isinstance(t, Mapping) else {"prompt": t} for t in _as_list(value)]
    prompts = [target.get("prompt") for target in said]
    if not isinstance(value, list) or not all(isinstance(t, str) and t.strip() for t in prompts):
        problems.append(f"targets must be a list of texts, got {value!r}")
        return nothing
    default = where if where in PLACES else "subject"
    wheres = [target.get("where") or default for target in said]
    unknown = [place for place in wheres if place not in PLACES]
    unknown += [name for target in said for name in target.keys() - {"prompt", "where"}]
    if unknown:
        problems.append(
            f"targets: {unknown[0]!r} is not understood; a target is a text, or an object of "
            f'"prompt" and "where" ({", ".join(PLACES)})'
        )
        return nothing
    everywhere = [*wheres] if {*wheres} - {"subject"} else None
    return {"targets": prompts or None, "targets_where": everywhere}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
