"""List the sources of an input: a folder, a glob, a video, a manifest, or a LeRobot dataset."""

import logging
import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from pipelines.config.config import Config
from pipelines.config.input import Input
from pipelines.errors import ConfigError, InputError
from pipelines.ids import content_id, source_row_id
from pipelines.schema import SOURCES, rows_table, with_extras
from pipelines.sources.lerobot.address import absolute, is_lerobot
from pipelines.sources.lerobot.listing import lerobot_sources
from pipelines.sources.manifest_file import KNOWN, SUFFIXES, is_carried_as, read_manifest
from pipelines.sources.manifest_rows import source_rows, with_ids
from pipelines.sources.versions import versions
from pipelines.storage import Storage, address, filesystem

log = logging.getLogger(__name__)

VIDEO = (
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".ogv", ".ts", ".webm", ".wmv", ".y4m"),
)
# Audio files are listed too, and become failed rows instead of being dropped silently.
AUDIO = (".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav")
NOT_READ = (".json", ".tsv", ".txt", ".xlsx", ".gz", ".zst", ".bz2", ".zip", ".yaml", ".yml")
"""Suffixes of lists and archives, which are neither manifests nor videos."""
AT_ONCE = 10_000  # rows converted to Python objects at a time, to bound memory


def input_address(uri: str) -> str:
    """Returns the address of an input as an absolute path or a URI."""
    return absolute(uri) if is_lerobot(uri) else address(uri, "input")


def list_sources(uri: str, config: Config, exclude: Storage | None = None) -> pa.Table:
    """List the sources of a run, as `find_sources`.

    Args:
        uri, exclude: as for `find_sources`.
        config: the run's configuration.

    Raises:
        InputError: the input has no videos, or cannot be read.
        ConfigError: the settings do not suit the input.
    """
    if not is_lerobot(uri) and config.input != Input():
        raise ConfigError(f"input {uri}: the settings input.* are for inputs lerobot://… only")
    if is_lerobot(uri) and config.clip.span != "shot":
        raise ConfigError(
            f"input {uri}: an episode is edited with every frame, give --set clip.span=shot"
        )
    return find_sources(uri, config.execution.storage_options, exclude, config.input, config.seed)


def find_sources(
    uri: str,
    options: Mapping[str, Any],
    exclude: Storage | None = None,
    chosen: Input | None = None,
    seed: int = 0,
) -> pa.Table:
    """List the sources behind `uri`.

    Args:
        uri: a folder (searched recursively), a glob, a video, or a manifest (.parquet, .jsonl,
            .csv) with at least a column `uri`; on a disk or under any fsspec URI. Or a LeRobot
            dataset, `lerobot://…`.
        options: storage options of fsspec.
        exclude: a folder whose videos are ignored, because the output may lie inside the input.
        chosen: the part of a LeRobot dataset. None: all of its cameras and episodes.
        seed: for the choice of episodes.

    Returns:
        A table of `schema.SOURCES` followed by the further columns of the manifest. The column
        `problem` holds the reason why a row cannot be used, else null.

    Raises:
        InputError: the input has no videos, or cannot be read.
    """
    try:
        if is_lerobot(uri):
            rows, columns = lerobot_sources(uri, options, chosen or Input(), seed)
            carried = dict(zip(columns.column_names, columns.columns, strict=True))
            table = _with_columns(_named(rows), carried)
        else:
            table = _find(address(uri, "input"), options, exclude)
    except InputError:
        raise
    except Exception as error:  # object stores have exceptions of their own
        raise InputError(f"input {uri}: {error}") from error
    if not len(table):
        raise InputError(f"input {uri}: no videos found there")
    return _with_versions(table, options)


def _find(uri: str, options: Mapping[str, Any], exclude: Storage | None) -> pa.Table:
    fs, root = filesystem(uri, options)
    root = root.rstrip("/") or "/"
    suffix = posixpath.splitext(root)[1].lower()
    if fs.isdir(root):
        found = _below(fs, root)
        if exclude and exclude.root == root:
            raise InputError(f"output {exclude} is the input folder itself: choose another")
        if exclude:
            found = [path for path in found if not path.startswith(f"{exclude.root}/")]
        return _from_paths(fs, uri, root, found)
    if fs.isfile(root):
        if suffix in SUFFIXES:
            return _from_manifest(fs, uri, root)
        if suffix in NOT_READ:
            raise InputError(
                f"input {uri}: {suffix} is not read; write a manifest as .jsonl, .csv or .parquet"
            )
        return _from_paths(fs, uri, posixpath.dirname(root), [root], any_suffix=True)
    if any(letter in root for letter in "*?["):
        fixed = posixpath.dirname(root[: min(root.find(c) for c in "*?[" if c in root)])
        return _from_paths(fs, uri, fixed, fs.glob(root), any_suffix=True)
    raise InputError(f"input {uri}: there is no such file or folder")


def _with_versions(table: pa.Table, options: Mapping[str, Any]) -> pa.Table:
    videos = versions(table["location"].to_pylist(), options)
    masks = versions(table["mask_location"].to_pylist(), options)
    found = [
        video if mask is None else f"{video}, mask {mask}"
        for video, mask in zip(videos, masks, strict=True)
    ]
    of_rows = [
        (index, each["mask_location"])
        for index, edits in enumerate(table["edits"].to_pylist())
        for each in edits or ()
    ]
    of_edits = versions([location for _, location in of_rows], options)
    for (index, _), version in zip(of_rows, of_edits, strict=True):
        if version is not None:
            found[index] = f"{found[index] or ''}, mask {version}"
    place = table.schema.get_field_index("source_version")
    return table.set_column(place, SOURCES.field("source_version"), pa.array(found, pa.string()))


def _below(fs: Any, root: str) -> list[str]:
    """Returns the files below a folder. Links to folders are followed once."""
    from fsspec.implementations.local import LocalFileSystem

    if not isinstance(fs, LocalFileSystem):
        return list(fs.find(root))
    found, seen = [], set[str]()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found += [os.path.join(folder, name) for name in names]
    return found


def _from_paths(
    fs: Any, uri: str, root: str, paths: Iterable[str], any_suffix: bool = False
) -> pa.Table:
    kept, ignored = [], Counter[str]()
    for path in sorted(paths):
        relative = posixpath.relpath(path, root)
        suffix = posixpath.splitext(path)[1].lower()
        if any(part.startswith(".") for part in relative.split("/")):
            continue
        if any_suffix or suffix in VIDEO or suffix in AUDIO:
            kept.append(_source(fs, path, relative))
        else:
            ignored[suffix or "without a suffix"] += 1
    if ignored:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in ignored.most_common(5))
        log.warning("input %s: %d files are no videos (%s)", uri, ignored.total(), counts)
    return _named(kept).cast(with_extras(SOURCES, pa.schema([])))


def _source(fs: Any, path: str, relative: str) -> dict[str, Any]:
    try:
        relative.encode()
    except UnicodeEncodeError:
        shown = relative.encode(errors="surrogateescape").decode(errors="replace")
        return {"source_uri": shown, "problem": "the file's name is not UTF-8; rename the file"}
    return {"source_uri": relative, "location": fs.unstrip_protocol(path)}


def _from_manifest(fs: Any, uri: str, path: str) -> pa.Table:
    manifest = read_manifest(fs, uri, path)
    names = manifest.table.column_names
    if "uri" not in names:
        raise InputError(f"manifest {uri}: no column 'uri'; it has {', '.join(names) or 'none'}")
    base = _named(with_ids(uri, source_rows(manifest, fs, posixpath.dirname(path))))
    extras = {}
    for name in names:
        if name in KNOWN:
            continue
        kept = f"manifest_{name}" if is_carried_as(name) else name
        if kept != name:
            log.warning("manifest %s: column %s is carried as %s", uri, name, kept)
        extras[kept] = manifest.table.column(name)
    return _with_columns(base, extras)


def _with_columns(base: pa.Table, extras: Mapping[str, pa.ChunkedArray]) -> pa.Table:
    """Returns sources with columns that are carried to the dataset."""
    fields = pa.schema([(name, column.type) for name, column in extras.items()])
    return pa.Table.from_arrays(
        [*base.columns, *extras.values()], schema=with_extras(SOURCES, fields)
    )


def _named(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Set `source_row` from the content of the row and the number of equal rows before it."""
    before = Counter[str]()
    tables = [SOURCES.empty_table()]
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        for row in some:
            name = source_row_id(row)
            row["source_row"] = content_id(row=name, before=before[name])
            before[name] += 1
        tables.append(rows_table(some, SOURCES))
    return pa.concat_tables(tables)
