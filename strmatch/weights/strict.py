"""Load models strictly: every tensor must be there and have the shape that the model expects."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from strmatch.weights.errors import WeightsError


def best_device(device: str | torch.device | None = None) -> torch.device:
    """Return `device`; if None, the GPU if there is one, else the CPU."""
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def read_config(path: Path) -> dict[str, Any]:
    """The config of a model of diffusers or transformers.

    Raises:
        WeightsError: the file cannot be read.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"cannot read {path}: {error}") from error
    return content


def load_strictly(cls: Any, folder: Path, dtype: torch.dtype, *, extra: bool = False) -> Any:
    """Load a diffusers or transformers model from safetensors.

    Args:
        extra: whether tensors that the model does not use are allowed.

    Raises:
        WeightsError: the folder cannot be read, or tensors are missing, misshapen or unexpected.
    """
    try:
        model, report = cls.from_pretrained(
            folder,
            torch_dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:
        raise WeightsError(f"cannot load {cls.__name__} from {folder}: {error}") from error
    kinds = {"missing_keys": "is missing", "mismatched_keys": "is of another shape"}
    if not extra:
        kinds["unexpected_keys"] = "is unexpected"
    faults = [f"{key} {what}" for kind, what in kinds.items() for key in sorted(report[kind])]
    refuse_faults(faults, cls.__name__, folder)
    return model


def refuse_faults(faults: Sequence[str], model: str, path: Path) -> None:
    """Raise an error that lists the first three faults of the weights at `path`, if any.

    Raises:
        WeightsError: `faults` is not empty.
    """
    if faults:
        more = f"; {len(faults) - 3} more" if len(faults) > 3 else ""
        raise WeightsError(f"{path} does not fit {model}: {', '.join(faults[:3])}{more}")


def check_fit(tensors: Mapping[str, Tensor], model: torch.nn.Module, path: Path) -> None:
    """Check that tensors have exactly the names and shapes of a model's state dict.

    Args:
        model: may be on the meta device.
        path: the file of the tensors, for the error message.

    Raises:
        WeightsError: names the first keys that are missing, unexpected or of another shape.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    faults = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    faults += [f"{name} is unexpected" for name in sorted(found.keys() - expected.keys())]
    faults += [
        f"{name} is {found[name]}, not {expected[name]}"
        for name in sorted(expected.keys() & found.keys())
        if expected[name] != found[name]
    ]
    refuse_faults(faults, type(model).__name__, path)


def load_model(cls: Any, folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """Load a transformers model from safetensors, in eval mode on `best_device()`.

    Tensors that the model does not use are allowed.

    Raises:
        WeightsError: the folder cannot be read, or tensors are missing or misshapen.
    """
    return load_strictly(cls, folder, dtype, extra=True).eval().to(best_device())
