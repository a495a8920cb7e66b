"""The manifest of a converted model, and the revision of a model folder."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from strmatch.weights.errors import WeightsError

MANIFEST = "weights.json"
"""Lists the files of a folder that `strmatch weights fetch` wrote, with their hashes."""
DENOISERS = ("unet", "transformer")
"""The folder of a model's denoiser, one of these, in diffusers layout."""
PARTS = ("vae", "text_encoder", "tokenizer", "scheduler")
"""The other folders of a model in diffusers layout."""


def read_manifest(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file of a folder that `strmatch weights fetch` completed.

    Raises:
        WeightsError: the folder is incomplete, or its manifest cannot be read.
    """
    try:
        files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise WeightsError(f"cannot read {folder / MANIFEST}: {error}") from error
    if not files:
        raise WeightsError(
            f"{folder} is not whole: run the `strmatch weights fetch` that started it again"
        )
    return files


def check_hashes(folder: Path) -> None:
    """Check the files of a folder against its manifest, if it has one.

    Raises:
        WeightsError: a file is missing or differs.
    """
    if (folder / MANIFEST).is_file():
        compare_hashes(folder, read_manifest(folder))


def compare_hashes(folder: Path, files: Mapping[str, str]) -> None:
    """Compare files of a folder with their SHA-256 by name.

    Raises:
        WeightsError: a file is missing or differs.
    """
    for name, expected in files.items():
        if not (folder / name).is_file():
            raise WeightsError(f"{name} is missing")
        if sha256(folder / name) != expected:
            raise WeightsError(f"{name} is not the file that {MANIFEST} names")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_revision(folder: Path) -> str:
    """Hash the names and contents of all files in the model's parts: 16 hexadecimal digits."""
    parts = (*DENOISERS, *PARTS)
    paths = [p for part in parts for p in (folder / part).rglob("*") if p.is_file()]
    return files_revision(folder, sorted(paths))


def files_revision(folder: Path, paths: Iterable[Path]) -> str:
    """Hash the names and contents of files below a folder: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
