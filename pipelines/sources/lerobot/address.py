"""Addresses of LeRobot datasets: `lerobot://` before a path, a URI or a hub id."""

import os
import re

from pipelines.errors import InputError
from pipelines.storage import address
from strmatch.weights.remote import is_remote

SCHEME = "lerobot://"
_HUB = re.compile(r"(?P<id>[\w-][\w.-]*/[\w-][\w.-]*)(@(?P<revision>[^@]+))?")


def is_lerobot(uri: str) -> bool:
    """Whether an input is a LeRobot dataset."""
    return uri.startswith(SCHEME)


def absolute(uri: str) -> str:
    """Returns the address of a dataset as a record has it: a local path is made absolute.

    Raises:
        InputError: the address is empty or lacks a slash.
    """
    place = uri.removeprefix(SCHEME)
    return uri if _of_hub(place) else SCHEME + address(place, "input")


def dataset_root(uri: str) -> str:
    """Returns the folder of a dataset, a path or an fsspec URI.

    A dataset of the hub is pinned: its revision, default `main`, is replaced by the commit that it
    names now.

    Args:
        uri: lerobot:// before a path, an fsspec URI or a hub id, such as `user/name@v3.0`. A local
            folder comes before a hub id of the same name.

    Raises:
        InputError: the hub has no such dataset, or cannot be asked.
    """
    place = absolute(uri).removeprefix(SCHEME)
    found = _of_hub(place)
    if found is None:
        return place.rstrip("/")
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(found["id"], revision=found["revision"]).sha
    except Exception as error:  # the hub's client has many
        told = " ".join(str(error).split())
        raise InputError(f"input {uri}: no such folder, and the hub says: {told}") from error
    return f"hf://datasets/{found['id']}@{commit}"


def _of_hub(place: str) -> re.Match[str] | None:
    """Returns the id and revision of a place that is neither a URI nor a local folder."""
    return None if is_remote(place) or os.path.isdir(place) else _HUB.fullmatch(place)
