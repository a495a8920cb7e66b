"""Read tensors of published checkpoints without executing the code that a pickle may hold."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from strmatch.weights.errors import WeightsError

ZIP = b"PK\x03\x04"
NOT_ALLOWED = re.compile(r"GLOBAL (\S+)")


def read_tensors(path: Path, entry: str | None = None) -> dict[str, Tensor]:
    """Read the state dict of a .safetensors file or of a torch checkpoint of either layout.

    Args:
        entry: the top-level entry of a torch checkpoint that holds the state dict; None: the whole
            checkpoint is the state dict.

    Raises:
        WeightsError: the file is missing or truncated, holds something other than tensors by name,
            or reading it would execute code.
    """
    try:
        content = _read(path)
    except pickle.UnpicklingError as error:
        found = NOT_ALLOWED.search(str(error))
        what = f"to read it would call {found[1]}" if found else "it is no pickle of tensors"
        raise WeightsError(f"{path} is refused: {what}") from error
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"cannot read {path}, is it whole? {reason}") from error
    if entry is not None:
        if not isinstance(content, Mapping) or entry not in content:
            raise WeightsError(f"{path} has no entry {entry!r}")
        content = content[entry]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path} holds no tensors by name")
    for name, tensor in content.items():
        if not isinstance(tensor, Tensor):
            raise WeightsError(f"{path}: {name} is no tensor")
    return dict(content)


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    with path.open("rb") as file:
        mappable = file.read(len(ZIP)) == ZIP  # the older layout cannot be mapped
    return torch.load(path, map_location="cpu", weights_only=True, mmap=mappable)
