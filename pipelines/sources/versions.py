"""Versions of files, which change when a file is replaced."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pipelines.ids import content_id
from pipelines.storage import filesystem

TAGS = ("ETag", "etag", "md5Hash", "content_md5")
TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
LISTED_FROM = 8
"""Files of a folder from which one listing costs less than a request for each."""
REQUESTS_AT_ONCE = 32


def file_version(info: Mapping[str, Any]) -> str:
    """Returns the ETag of a file, else its size and time.

    Args:
        info: of the file, from fsspec.
    """
    tag = next((info[name] for name in TAGS if info.get(name)), None)
    if tag is not None:
        return str(tag).strip('"')
    time = next((info[name] for name in TIMES if info.get(name)), "")
    return f"{info.get('size')} {time}".strip()


def versions(locations: Sequence[str | None], options: Mapping[str, Any]) -> list[str | None]:
    """Returns the version of each file or folder of pictures; None for what cannot be read.

    Args:
        locations: paths and URIs.
        options: storage options of fsspec.
    """
    folders: dict[str, set[str]] = defaultdict(set)
    for location in filter(None, locations):
        folders[location.rpartition("/")[0]].add(location)
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        found = pool.map(lambda names: _versions(names, options), folders.values())
        known = {location: version for some in found for location, version in some.items()}
    return [known.get(location) if location else None for location in locations]


def _versions(locations: Iterable[str], options: Mapping[str, Any]) -> dict[str, str]:
    """Returns the versions of files of one folder."""
    names = sorted(locations)
    paths = {name: filesystem(name, options) for name in names[:1]}
    found = {}
    try:
        fs = paths[names[0]][0]
        by_path = {name: str(fs._strip_protocol(name)) for name in names}
        listed: dict[str, Mapping[str, Any]] = {}
        if len(names) >= LISTED_FROM:
            parent = by_path[names[0]].rpartition("/")[0]
            listed = {str(info["name"]): info for info in fs.ls(parent, detail=True)}
        for name, path in by_path.items():
            try:
                info = listed.get(path) or fs.info(path)
                found[name] = _folder_version(fs, path) if _is_folder(info) else file_version(info)
            except OSError:  # the stage that reads the file has the reason
                continue
    except Exception:  # object stores have exceptions of their own
        return found
    return found


def _is_folder(info: Mapping[str, Any]) -> bool:
    return info.get("type") == "directory"


def _folder_version(fs: Any, path: str) -> str:
    infos = sorted(fs.ls(path, detail=True), key=lambda info: str(info["name"]))
    return content_id(files=[[str(info["name"]), file_version(info)] for info in infos])
