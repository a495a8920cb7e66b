"""From a weights string (a folder, an fsspec URI, a hub id) to a local folder."""

import fnmatch
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from strmatch.presets import PRESETS, load_preset
from strmatch.weights.errors import WeightsError
from strmatch.weights.manifest import MANIFEST, PARTS, check_hashes, read_manifest
from strmatch.weights.remote import cached, fetch, is_remote

TRANSFORMERS = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors")
"""Patterns of the files of a model in transformers layout: neither pickles nor code."""
NEEDED = ("config.json", "*.safetensors")
"""Patterns of the files without which no model in transformers layout loads."""


def local_folder(
    weights: str,
    revision: str | None = None,
    files: tuple[str, ...] = TRANSFORMERS,
    *,
    check: Callable[[Path], None] | None = None,
    progress: Any = None,
) -> Path:
    """Return the local folder that holds weights, downloaded first if they are remote.

    Args:
        weights: a folder, an fsspec URI of one, or a hub id, which may end in `@commit`.
        revision: the commit to take from the hub.
        files: patterns of the files to take from the hub; of a URI, all are taken.
        check: receives the new copy of a URI before it is kept, and raises to discard it.
        progress: a subclass of tqdm that shows downloads from the hub; None: the hub's own.

    Raises:
        WeightsError: there is no such folder, it cannot be downloaded, or a hub id has no commit,
            so that its weights could change.
    """
    if is_remote(weights):
        return fetch(weights, check)
    if Path(weights).is_dir():
        return Path(weights)
    name, commit = _hub_id(weights, revision)
    from huggingface_hub import snapshot_download

    shown = {"tqdm_class": progress} if progress else {}
    try:
        return Path(snapshot_download(name, revision=commit, allow_patterns=list(files), **shown))
    except Exception as error:
        raise WeightsError(f"cannot fetch {name} at {commit} from the hub: {error}") from error


def check_available(weights: str, revision: str | None, needed: tuple[str, ...]) -> None:
    """Check, without downloading, that the files of a model exist where its weights are named.

    Args:
        weights, revision: as for `local_folder`.
        needed: patterns, each of which at least one file must have.

    Raises:
        WeightsError: a required file is missing, or the listing failed.
    """
    if is_remote(weights) and not cached(weights).is_dir():
        names = _names_at(weights)
    elif is_remote(weights):
        names = os.listdir(cached(weights))
    elif Path(weights).is_dir():
        names = os.listdir(weights)
    else:
        names = _names_on_hub(*_hub_id(weights, revision), needed)
    for pattern in needed:
        if not fnmatch.filter(names, pattern):
            raise WeightsError(f"{weights} holds no {pattern}")


def one_file(folder: Path, pattern: str) -> Path:
    """Return the only file of a folder whose name has a pattern.

    Raises:
        WeightsError: the folder holds no such file, or several.
    """
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise WeightsError(f"{folder} must hold one file {pattern}, and holds {len(found)}")
    return found[0]


def _hub_id(weights: str, revision: str | None) -> tuple[str, str]:
    """The id and the commit of a model on the hub."""
    name, _, commit = weights.partition("@")
    if Path(weights).is_absolute() or name.count("/") != 1:
        raise WeightsError(f"there is no folder {weights}, and it is no hub id either")
    if not (revision or commit):
        raise WeightsError(
            f"there is no folder {weights}; to take it from the hub, name its commit, as "
            "owner/name@commit or as revision"
        )
    return name, revision or commit


def _names_at(uri: str) -> list[str]:
    import fsspec

    try:
        filesystem, path = fsspec.url_to_fs(uri)
        return [str(name).rpartition("/")[2] for name in filesystem.ls(path, detail=False)]
    except Exception as error:
        raise WeightsError(f"cannot find weights at {uri}: {error}") from error


def _names_on_hub(name: str, commit: str, needed: tuple[str, ...]) -> list[str]:
    from huggingface_hub import HfApi, snapshot_download

    try:
        folder = snapshot_download(name, revision=commit, local_files_only=True)
        names = os.listdir(folder)
        if all(fnmatch.filter(names, pattern) for pattern in needed):
            return names
    except Exception:  # there is no local snapshot yet
        pass
    try:
        return HfApi().list_repo_files(name, revision=commit)
    except Exception as error:
        raise WeightsError(f"cannot find {name} at {commit} on the hub: {error}") from error


def weights_folder(source: str | os.PathLike[str]) -> Path:
    """The local folder that holds the weights of `source`, fetched first if they are remote.

    Raises:
        WeightsError: there is no such folder, or it is not a model's, or not the whole of it.
    """
    weights: str | None = os.fspath(source)
    if str(source) in PRESETS:
        weights = load_preset(str(source)).weights
    if weights is None:
        raise WeightsError(
            f"the preset {source!r} ships no weights: name a folder or URI that holds them in "
            "diffusers layout (unet/, vae/, text_encoder/, tokenizer/, scheduler/), such as "
            f"`strmatch weights fetch {source}` writes"
        )
    folder = local_folder(weights, check=check_hashes) if is_remote(weights) else Path(weights)
    for part in PARTS:
        if not (folder / part).is_dir():
            raise WeightsError(f"{weights} is no model folder: it has no {part}/")
    if (folder / MANIFEST).is_file():
        read_manifest(folder)
    return folder
