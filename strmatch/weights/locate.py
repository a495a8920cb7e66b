import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from strmatch.weights.errors import WeightsError


def one_file(folder: Path, pattern: str) -> Path:
    """The file in a folder whose name has a pattern.

    Raises:
        WeightsError: there is none, or another one.
    """
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise WeightsError(f"{folder} must hold one file {pattern}, and holds {len(found)}")
    return found[0]


def cached(uri: str) -> Path:
    """Where `fetch` puts a remote folder."""
    cache = Path(os.environ.get("STRMATCH_CACHE", "~/.cache/strmatch")).expanduser()
    return cache / hashlib.sha256(uri.encode()).hexdigest()[:16]


def fetch(uri: str, check: Callable[[Path], None] | None = None) -> Path:
    """The local copy of a remote folder, fetched into `$STRMATCH_CACHE` by the first who asks.

    Args:
        check: raises for a copy that shall not be kept.

    Raises:
        WeightsError: it cannot be fetched.
    """
    import fsspec
    from filelock import FileLock

    target = cached(uri)
    cache = target.parent
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):  # the other editors of this machine wait
        if target.is_dir():
            return target
        partial = Path(tempfile.mkdtemp(dir=cache))
        try:
            filesystem, path = fsspec.url_to_fs(uri)
            filesystem.get(path.rstrip("/") + "/", f"{partial}/", recursive=True)
            if check:
                check(partial)
            return partial.rename(target)
        except Exception as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise WeightsError(f"cannot fetch weights from {uri}: {error}") from error
