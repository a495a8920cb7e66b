"""Models of the Hugging Face hub, at a commit, in the hub's own cache.

Every failure is a `WeightsError` of one line that holds no signed address.
"""

import errno
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from strmatch.weights.errors import WeightsError
from strmatch.weights.manifest import sha256
from strmatch.weights.source import Source

# These log the signed addresses of downloads, each request and each interruption.
for _name in ("httpx2", "huggingface_hub.file_download", "huggingface_hub.utils._http"):
    logging.getLogger(_name).setLevel(logging.ERROR)
SHA256 = re.compile(r"[0-9a-f]{64}")
QUERY = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]*")


class _Silent(tqdm):
    """A progress bar that shows nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"disable": True})


@dataclass(frozen=True)
class HubFile:
    """A file of a model on the hub."""

    name: str
    size: int
    """Bytes."""
    cached: bool
    """Whether this machine holds the file."""
    path: Path
    """Where the cache holds the file."""


def cache_folder() -> Path:
    """The cache of the hub, which `HF_HOME` and `HF_HUB_CACHE` move."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def cached_snapshot(source: Source) -> Path | None:
    """The cached folder of a model, without any request; None if a file is missing."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    name, commit = source.hub_id()
    try:
        folder = Path(
            snapshot_download(
                name, revision=commit, allow_patterns=list(source.files), local_files_only=True
            )
        )
    except LocalEntryNotFoundError:
        return None
    return None if source.missing(_names(folder)) else folder


def list_hub_files(source: Source) -> list[HubFile]:
    """The files that a model takes from the hub.

    Raises:
        WeightsError: the hub does not list the model, or lists no needed file.
    """
    from huggingface_hub import snapshot_download

    name, commit = source.hub_id()

    with _explained_errors(source):
        listed = snapshot_download(
            name,
            revision=commit,
            allow_patterns=list(source.files),
            tqdm_class=_Silent,
            dry_run=True,
        )
    found = [
        HubFile(each.filename, each.file_size or 0, not each.will_download, Path(each.local_path))
        for each in listed
    ]
    lacking = source.missing(file.name for file in found)
    if lacking:
        raise WeightsError(f"{name} at {commit} on the hub holds no {lacking}")
    return found


def hub_snapshot(source: Source, offline: bool = False, progress: Any = None) -> Path:
    """The cached folder of a model, downloaded by the first process that needs the model.

    A model that is cached whole needs no connection. An interrupted download is resumed. Each new
    file whose SHA-256 the hub lists is checked against that.

    Args:
        progress: a subclass of tqdm that shows the download; None: the hub's own.

    Raises:
        WeightsError: the model cannot be fetched, or is not cached and `offline` is set.
    """
    name, commit = source.hub_id()
    folder = cached_snapshot(source)
    if folder is None and offline:
        raise WeightsError(
            f"{name} at {commit} is not in the cache {cache_folder()}, and offline permits no "
            "download: run `strmatch weights fetch --preset` where there is a network, or leave "
            "out --offline"
        )
    if folder is None:
        folder = _download(source, progress)
    return folder


def _download(source: Source, progress: Any) -> Path:
    from huggingface_hub import snapshot_download

    name, commit = source.hub_id()
    new = [file for file in list_hub_files(source) if not file.cached]
    shown = {"tqdm_class": progress} if progress else {}

    with _explained_errors(source):
        folder = Path(
            snapshot_download(name, revision=commit, allow_patterns=list(source.files), **shown)
        )
    for file in new:
        _check_content(source, file)
    return folder


def _check_content(source: Source, file: HubFile) -> None:
    """Compare a new file with the SHA-256 that the hub lists, which names the cached file."""
    blob = file.path.resolve()
    if not SHA256.fullmatch(blob.name):
        return
    found = sha256(blob)
    if found != blob.name:
        file.path.unlink(missing_ok=True)
        blob.unlink(missing_ok=True)
        raise WeightsError(
            f"{file.name} of {source.origin} has the SHA-256 {found}, the hub lists {blob.name}: "
            "the download was removed, run the same command again"
        )


def _names(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@contextmanager
def _explained_errors(source: Source) -> Iterator[None]:
    """Raise a `WeightsError` for every error of the hub's client, which repeats failed requests."""
    try:
        yield
    except Exception as error:
        raise WeightsError(_explained(error, source)) from error


def _response(error: BaseException | None) -> Any:
    """The response behind an error, which may be the cause of another error."""
    while error is not None:
        response = getattr(error, "response", None)
        if response is not None:
            return response
        error = error.__cause__
    return None


def _explained(error: Exception, source: Source) -> str:
    from huggingface_hub import constants, errors

    name, commit = source.hub_id()
    hub = constants.ENDPOINT
    response = _response(error)
    status = response.status_code if response is not None else None
    behind = [error, error.__cause__]
    if any(isinstance(each, errors.GatedRepoError) for each in behind) or status == 403:
        return (
            f"{name} is gated: accept the terms at {hub}/{name}, and set HF_TOKEN to a token of "
            "that account"
        )
    if any(isinstance(each, errors.RevisionNotFoundError) for each in behind):
        return f"{name} on {hub} has no commit {commit}"
    if any(isinstance(each, errors.RepositoryNotFoundError) for each in behind) or status == 401:
        return (
            f"{hub} shows no model {name} to this account: check the name, or set HF_TOKEN if the "
            "model is private or gated"
        )
    if isinstance(error, errors.EntryNotFoundError) and status == 404:
        return f"a file of {name} at {commit} is missing on {hub}"
    if status == 429:
        return (
            f"{hub} limits the rate of requests (429) for {name}: run the same command again in "
            "some minutes, or set HF_TOKEN"
        )
    if status is not None:
        return f"{hub} answers {status} for {name}: run the same command again later"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"no space is left in {cache_folder()} for {name}: HF_HOME names another cache"
    return (
        f"{name} cannot be fetched from {hub}: {_plain(error)}. Check the network and run the same "
        "command again, or use --offline with a filled cache, or --weights with a store"
    )


def _plain(error: BaseException) -> str:
    """The first line of an error's innermost cause, without the queries of addresses."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [""]
    return QUERY.sub(r"\1", f"{type(error).__name__} {lines[0]}".strip()).rstrip(".")
