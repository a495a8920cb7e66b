"""Published models: from a hub id, a folder or a URI, pinned, and without executing pickles."""

import fnmatch
import os
from pathlib import Path

from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import cached, fetch

TRANSFORMERS = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors")
"""The files of a model in transformers layout: neither pickles nor code."""
NEEDED = ("config.json", "*.safetensors")
"""What of these no model can do without."""


def find_folder(weights: str, revision: str | None, files: tuple[str, ...]) -> Path:
    """The local folder that holds a model's weights, fetched first if they are remote.

    Args:
        weights: a folder, an fsspec URI of one, or a hub id.
        revision: the commit to take from the hub.
        files: patterns of the files to take from the hub.

    Raises:
        WeightsError: there is no such folder, or it cannot be fetched, or what the hub gives
            would depend on the day.
    """
    if "://" in weights:
        return fetch(weights)
    if Path(weights).is_dir():
        return Path(weights)
    _check_hub_id(weights, revision)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(weights, revision=revision, allow_patterns=list(files)))
    except Exception as error:
        raise WeightsError(f"cannot fetch {weights} at {revision} from the hub: {error}") from error


def check_files(weights: str, revision: str | None, needed: tuple[str, ...]) -> None:
    """Look whether a model's files are where they are to be taken from, without fetching them.

    Args:
        weights, revision: as for `find_folder`.
        needed: patterns; of each there has to be a file.

    Raises:
        WeightsError: there is none of one of them, or nobody knows.
    """
    if "://" in weights and not cached(weights).is_dir():
        names = _names_at(weights)
    elif "://" in weights:
        names = os.listdir(cached(weights))
    elif Path(weights).is_dir():
        names = os.listdir(weights)
    else:
        _check_hub_id(weights, revision)
        names = _names_on_hub(weights, revision, needed)
    for pattern in needed:
        if not fnmatch.filter(names, pattern):
            raise WeightsError(f"{weights} holds no {pattern}")


def _check_hub_id(weights: str, revision: str | None) -> None:
    if Path(weights).is_absolute() or weights.count("/") != 1:
        raise WeightsError(f"there is no folder {weights}, and it is no hub id either")
    if revision is None:
        raise WeightsError(
            f"there is no folder {weights}; to take it from the hub, name the commit as revision"
        )


def _names_at(uri: str) -> list[str]:
    import fsspec

    try:
        filesystem, path = fsspec.url_to_fs(uri)
        return [str(name).rpartition("/")[2] for name in filesystem.ls(path, detail=False)]
    except Exception as error:
        raise WeightsError(f"cannot find weights at {uri}: {error}") from error


def _names_on_hub(weights: str, revision: str | None, needed: tuple[str, ...]) -> list[str]:
    from huggingface_hub import HfApi, snapshot_download

    try:
        folder = snapshot_download(weights, revision=revision, local_files_only=True)
        names = os.listdir(folder)
        if all(fnmatch.filter(names, pattern) for pattern in needed):
            return names
    except Exception:  # it is not on this machine yet
        pass
    try:
        return HfApi().list_repo_files(weights, revision=revision)
    except Exception as error:
        raise WeightsError(f"cannot find {weights} at {revision} on the hub: {error}") from error
