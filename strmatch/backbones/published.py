"""Converts a published model to a folder that `load_backbone` reads, once on each machine."""

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from strmatch.presets import PRESETS
from strmatch.presets.published import Published
from strmatch.registry import load
from strmatch.validation import did_you_mean
from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import local_folder
from strmatch.weights.manifest import DENOISERS, MANIFEST, PARTS, read_manifest, sha256
from strmatch.weights.remote import cache_folder, download
from strmatch.weights.source import ONLINE, Access, Source
from strmatch.weights.store import Store

Report = Callable[[str], None]
FORMAT = 1
"""Version of the conversion. Folders of other versions are converted again."""
HUB = "https://huggingface.co"

log = logging.getLogger(__name__)


def converted_folder(
    name: str,
    published: Published,
    access: Access = ONLINE,
    *,
    report: Report = log.info,
    progress: Any = None,
) -> Path:
    """The folder of a converted model in `$STRMATCH_CACHE`, or in the store of `access`.

    The first process that needs the model fetches and converts it. Others wait.

    Args:
        name: of the model, in a store and in messages.
        report: receives a line about each long step.
        progress: a subclass of tqdm that shows downloads; None: the hub's own.

    Raises:
        WeightsError: a source cannot be fetched, does not fit the model, or would execute code.
    """
    if access.store:
        return Store(access.store).folder(name, access.offline)
    from filelock import FileLock

    target = conversion_cache(name, published)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if target.is_dir():
            return target
        partial = Path(tempfile.mkdtemp(dir=target.parent))
        try:
            origins = convert(
                name, published, partial, access=access, report=report, progress=progress
            )
            (partial / MANIFEST).write_bytes(manifest(name, origins, hash_files(partial)))
            return partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def conversion_cache(name: str, published: Published) -> Path:
    """The folder in `$STRMATCH_CACHE` of a converted model. It exists once it is complete."""
    base = published.base.origin if published.base else ""
    pins = json.dumps([published.checkpoint.origin, base, FORMAT])
    return cache_folder() / f"{name}-{hashlib.sha256(pins.encode()).hexdigest()[:16]}"


def convert(
    name: str,
    published: Published,
    folder: Path,
    *,
    checkpoint: str | None = None,
    base: str | None = None,
    access: Access = ONLINE,
    report: Report = log.info,
    progress: Any = None,
) -> dict[str, Any]:
    """Fetch the sources of a model, convert them, and verify that the result loads.

    Args:
        folder: an empty folder to write to.
        checkpoint, base: a path, an fsspec URI or a hub id with its commit, `owner/name@commit`;
            default: where the model was published.

    Returns:
        The origins, as the manifest records them.

    Raises:
        WeightsError: a source cannot be fetched, does not fit the model, or would execute code.
    """
    import torch

    from strmatch.backbones.load_folder import load_folder

    with tempfile.TemporaryDirectory(prefix="strmatch-") as scratch:
        local: dict[str, Path] = {}
        origins: dict[str, Any] = {}
        sources = {"checkpoint": (published.checkpoint, checkpoint), "base": (published.base, base)}
        for role, (source, other) in sources.items():
            if source is not None:
                chosen = replace(source, weights=other) if other else source
                place = Path(scratch) / role
                local[role], origins[role] = _obtain(chosen, place, access, report, progress)
        if published.sha256:
            path = _only_file(local["checkpoint"], published.checkpoint)
            found = origins["checkpoint_sha256"] = sha256(path) if path.is_file() else None
            if checkpoint is None and found != published.sha256:
                _refuse_unattested(name, published, found)
        report(f"converting {name} to safetensors, 16 bits")
        load(published.convert)(local["checkpoint"], local.get("base"), folder)
    backbone = load_folder(folder, device="cpu", dtype=torch.bfloat16)
    width, wanted = backbone.embed("").shape[-1], backbone.text_width
    if width != wanted:
        raise WeightsError(
            f"the text encoder is {width} channels wide and the denoiser wants {wanted}: name the "
            "base that the model was made from"
        )
    return origins


def hash_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by relative path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in paths}


def manifest(name: str, sources: dict[str, Any], files: dict[str, str]) -> bytes:
    """The manifest of a converted model. Without files, loaders refuse the folder."""
    content = {"model": name, "strmatch": version("strmatch"), "sources": sources, "files": files}
    return json.dumps(content, indent=2).encode()


def check_folder(folder: Path, weights: str) -> Path:
    """Return a folder that has all parts of a model.

    Raises:
        WeightsError: a part is missing, or the conversion was interrupted.
    """
    denoiser = next((each for each in DENOISERS if (folder / each).is_dir()), DENOISERS[0])
    for part in (denoiser, *PARTS):
        if not (folder / part).is_dir():
            hint = "" if folder.exists() else did_you_mean(folder.name, PRESETS.names())
            raise WeightsError(f"{weights} is no model folder: it has no {part}/{hint}")
    if (folder / MANIFEST).is_file():
        read_manifest(folder)
    return folder


def _obtain(
    source: Source, scratch: Path, access: Access, report: Report, progress: Any
) -> tuple[Path, str]:
    """Return the local file or folder of a source, and the origin that the manifest records.

    Raises:
        WeightsError: the source cannot be read.
    """
    if source.is_uri:
        report(f"fetching {source.origin}")
        try:
            copies = download(source.weights, scratch, source.files, progress)
        except Exception as error:
            raise WeightsError(f"cannot fetch {source.origin}: {error}") from error
        return copies[0] if len(copies) == 1 else scratch, source.origin
    if Path(source.weights).exists():
        return Path(source.weights), source.weights
    report(f"fetching {source.origin} from the hub")
    return local_folder(source, access, progress=progress), source.origin


def _only_file(place: Path, source: Source) -> Path:
    return place if place.is_file() else place / source.files[0]


def _refuse_unattested(name: str, published: Published, found: str | None) -> None:
    """Refuse a checkpoint of the hub that differs from the attested one.

    A copy of a mirror (`HF_ENDPOINT`) was compared with what the mirror lists. The difference from
    the attested file is logged, because a mirror may hold another model on purpose.

    Raises:
        WeightsError: the hub itself gave another file.
    """
    from huggingface_hub import constants

    told = (
        f"the checkpoint of {published.checkpoint.origin} has the SHA-256 {found}, attested is "
        f"{published.sha256}"
    )
    if constants.ENDPOINT == HUB:
        raise WeightsError(f"{name} is refused: {told}")
    log.warning("%s, from %s", told, constants.ENDPOINT)
