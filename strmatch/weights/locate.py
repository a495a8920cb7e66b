"""From the source of weights to a local folder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from strmatch.weights.errors import WeightsError
from strmatch.weights.hub import cached_snapshot, hub_snapshot, list_hub_files
from strmatch.weights.remote import cached, fetch
from strmatch.weights.source import ONLINE, Access, Source
from strmatch.weights.store import Store, store_key


def local_folder(
    source: Source,
    access: Access = ONLINE,
    *,
    check: Callable[[Path], None] | None = None,
    progress: Any = None,
) -> Path:
    """Return the local folder that holds weights, downloaded first if they are remote.

    Args:
        check: receives the new copy of a URI before it is kept, and raises to discard it.
        progress: a subclass of tqdm that shows downloads from the hub; None: the hub's own.

    Raises:
        WeightsError: there is no such folder, it cannot be downloaded, or a hub id has no commit,
            so that its weights could change.
    """
    if source.is_uri:
        if access.offline and not cached(source.weights).is_dir():
            raise WeightsError(f"{source.origin} is not cached, and offline permits no download")
        return fetch(source.weights, check)
    if source.is_local:
        return Path(source.weights)
    if access.store:
        return Store(access.store).folder(store_key(source), access.offline)
    return hub_snapshot(source, access.offline, progress)


def check_available(source: Source, access: Access = ONLINE) -> None:
    """Check, without downloading, that the needed files of a model are there.

    Raises:
        WeightsError: a needed file is missing, or the listing failed.
    """
    if source.is_uri:
        copy = cached(source.weights)
        names = os.listdir(copy) if copy.is_dir() else _names_at(source, access)
    elif source.is_local:
        names = os.listdir(source.weights)
    elif access.store:
        names = list(Store(access.store).files(store_key(source)))
    elif cached_snapshot(source):
        return
    elif access.offline:
        hub_snapshot(source, offline=True)  # raises
        return
    else:
        names = [file.name for file in list_hub_files(source)]
    lacking = source.missing(names)
    if lacking:
        raise WeightsError(f"{source.origin} holds no {lacking}")


def one_file(folder: Path, pattern: str) -> Path:
    """Return the only file of a folder whose name has a pattern.

    Raises:
        WeightsError: the folder holds no such file, or several.
    """
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise WeightsError(f"{folder} must hold one file {pattern}, and holds {len(found)}")
    return found[0]


def _names_at(source: Source, access: Access) -> list[str]:
    import fsspec

    if access.offline:
        raise WeightsError(f"{source.origin} is not cached, and offline permits no download")
    try:
        filesystem, path = fsspec.url_to_fs(source.weights)
        return [str(name).rpartition("/")[2] for name in filesystem.ls(path, detail=False)]
    except Exception as error:
        raise WeightsError(f"cannot find weights at {source.origin}: {error}") from error
