"""Local copies of files and folders under fsspec URIs (`s3://…`, `hf://…`, `https://…`)."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from strmatch.weights.errors import WeightsError


def is_remote(uri: str) -> bool:
    """Whether a string is a URI, for fsspec, and not a path of this machine."""
    return "://" in uri


def cache_folder() -> Path:
    """The folder `$STRMATCH_CACHE`, default ~/.cache/strmatch."""
    return Path(os.environ.get("STRMATCH_CACHE", "~/.cache/strmatch")).expanduser()


def cached(uri: str) -> Path:
    """The folder in `cache_folder` that `fetch` copies a URI to."""
    return cache_folder() / hashlib.sha256(uri.encode()).hexdigest()[:16]


def fetch(uri: str, check: Callable[[Path], None] | None = None) -> Path:
    """Return the cached copy of a remote folder, downloaded by the first process that needs it.

    Args:
        check: receives the new copy before it is kept, and raises to discard it.

    Raises:
        WeightsError: the download or the check failed.
    """
    from filelock import FileLock

    target = cached(uri)
    cache = target.parent
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):  # other processes of this machine wait for the same copy
        if target.is_dir():
            return target
        partial = Path(tempfile.mkdtemp(dir=cache))
        try:
            download(uri, partial)
            if check:
                check(partial)
            return partial.rename(target)
        except Exception as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise WeightsError(f"cannot fetch weights from {uri}: {error}") from error


def download(
    uri: str, folder: Path, patterns: Sequence[str] = (), progress: Any = None
) -> list[Path]:
    """Copy a remote file, or the files below a remote folder, into a local folder.

    Args:
        patterns: of the paths below the remote folder to copy, by `fnmatch` part by part; none:
            all.
        progress: a subclass of tqdm that shows the bytes of every file; None: none is shown.

    Returns:
        The local files.

    Raises:
        FileNotFoundError: there is no such file or folder, or no file has one of the patterns.
        Exception: whatever else the filesystem raises.
    """
    import fsspec

    filesystem, root = fsspec.url_to_fs(uri)
    root = str(root).rstrip("/")
    if filesystem.isfile(root):
        root, _, name = root.rpartition("/")
        names = [name]
    else:
        below = (str(path)[len(root) + 1 :] for path in filesystem.find(root))
        names = [name for name in below if not patterns or _matches(name, patterns)]
    if not names:
        raise FileNotFoundError(f"it has none of {', '.join(patterns) or 'any files'}")
    copies = [folder / name for name in names]
    for copy in copies:
        if not copy.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{copy} lies outside {folder}")
        copy.parent.mkdir(parents=True, exist_ok=True)
    remote, local = [f"{root}/{name}" for name in names], [str(copy) for copy in copies]
    filesystem.get(remote, local, **({"callback": _bars(progress)} if progress else {}))
    return copies


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, p) and name.count("/") == p.count("/") for p in patterns)


def _bars(progress: Any) -> Any:
    """An fsspec callback with a progress bar for every file."""
    from fsspec.callbacks import Callback, TqdmCallback

    class Bars(Callback):
        def branched(self, path_1: str, path_2: str, **options: Any) -> Callback:
            shown = {"desc": Path(path_2).name, "unit": "B", "unit_scale": True}
            return TqdmCallback(shown, tqdm_cls=progress)

    return Bars()
