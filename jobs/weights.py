"""The job of `strmatch weights fetch`: published models in a folder of safetensors."""

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

from fsspec.implementations.local import LocalFileSystem

from pipelines.config.loading import load_config
from pipelines.editors.base import uses_backbone
from pipelines.errors import RunError
from pipelines.progress import DownloadBar, progress
from pipelines.runs.preflight import models, prepare_backbone
from pipelines.storage import Storage
from pipelines.versions import PACKAGE_VERSION
from strmatch.backbones import published
from strmatch.presets import PRESETS, load_preset
from strmatch.presets.published import Published
from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import local_folder
from strmatch.weights.manifest import MANIFEST, weights_revision
from strmatch.weights.store import store_key

CHUNK_MB = 16
MB = 2**20
Kind = Literal["model", "preset"]


def fetch_model(model: str, to: str, checkpoint: str | None, base: str | None) -> None:
    """Convert a published backbone into the folder `to`, and verify that the result loads.

    A manifest without files is written first, and the complete one last. All loaders reject an
    incomplete folder. Running this command again restarts the conversion.

    Args:
        model: a preset with a published model.
        to: a folder or fsspec URI that is empty, or that this command wrote.
        checkpoint, base: a path, an fsspec URI or a hub id with its commit, `owner/name@commit`;
            default: where the model was published.

    Raises:
        RunError: a source cannot be read, does not fit the model, or would execute code; or `to`
            cannot be written.
    """
    source, target = _published(model), Storage(to)
    if base and not source.base:
        raise RunError(f"{model} is published whole: it takes no --base")
    begun = _find_begun(target, "model", model)
    if begun and begun["files"]:
        print(f"  {to}: {model} is there already")
        return
    _write_manifest(target, published.manifest(model, {}, {}))
    try:
        with tempfile.TemporaryDirectory(prefix="strmatch-") as scratch:
            folder = Path(scratch)
            origins = published.convert(
                model,
                source,
                folder,
                checkpoint=checkpoint,
                base=base,
                report=_report,
                progress=DownloadBar,
            )
            files = _write_folder(folder, target)
            revision = weights_revision(folder)
        target.write(MANIFEST, published.manifest(model, origins, files))
    except WeightsError as error:
        if begun is None:
            target.remove(MANIFEST)
        raise RunError(str(error)) from error
    except Exception as error:
        raise RunError(f"{model} could not be fetched to {to}: {error}") from error
    print(f"  {to}: {model}, revision {revision}")


def fetch_preset(preset: str, to: str) -> None:
    """Fetch every model of a preset into one folder, for clusters without the hub.

    The folder is a store: `strmatch run --weights` takes the models from there.

    Args:
        preset: a preset with a published model, or of an editor without a backbone.
        to: a folder or fsspec URI that is empty, or that this command wrote.

    Raises:
        RunError: a model cannot be fetched, or `to` cannot be written.
    """
    config, target = load_config(preset), Storage(to)
    has_backbone = uses_backbone(config)
    if has_backbone:
        _published(preset)
    begun = _find_begun(target, "preset", preset)
    if begun and begun["models"]:
        print(f"  {to}: all models of {preset} are there already")
        return
    _write_manifest(target, _store_manifest(preset, {}))
    written: dict[str, Any] = {}
    try:
        for model in models(config):
            if model.kind == "editor" and has_backbone:  # the store holds the converted backbone
                continue
            _report(f"fetching {model}")
            folder = local_folder(model.source, progress=DownloadBar)
            key = store_key(model.source)
            files = _write_folder(folder, target, key)
            written[key] = {"source": model.source.origin, "files": files}
        backbone = prepare_backbone(config)
        if backbone is not None:
            files = _write_folder(backbone, target, preset)
            written[preset] = {"source": _origin(preset), "files": files}
        target.write(MANIFEST, _store_manifest(preset, written))
    except WeightsError as error:
        raise RunError(str(error)) from error
    except Exception as error:
        raise RunError(f"{preset} could not be fetched to {to}: {error}") from error
    print(f"  {to}: all models of {preset}; use them by --weights {to}")


def _published(name: str) -> Published:
    weights = load_preset(name).weights if name in PRESETS else None
    if isinstance(weights, Published):
        return weights
    there = [each for each in PRESETS.names() if isinstance(load_preset(each).weights, Published)]
    raise RunError(f"no model {name!r} is known to fetch; there are {', '.join(there)}")


def _origin(preset: str) -> str:
    source = _published(preset)
    parts = (source.checkpoint, source.base)
    return ", ".join(part.origin for part in parts if part is not None)


def _report(line: str) -> None:
    print(f"  {line}", flush=True)


def _find_begun(target: Storage, kind: Kind, name: str) -> dict[str, Any] | None:
    """Return the manifest of an earlier fetch; None if the folder is empty or missing.

    Raises:
        RunError: the folder holds something else, or cannot be read.
    """
    try:
        if not target.exists(MANIFEST):
            if target.exists() and target.fs.ls(target.root):
                raise RunError(f"{target} is not empty: name a folder of its own")
            return None
        found = json.loads(target.read(MANIFEST))
        if found.get(kind) != name:
            held = found.get("model") or f"the preset {found.get('preset')}"
            raise RunError(f"{target} holds {held}: name a folder of its own")
    except RunError:
        raise
    except Exception as error:
        raise RunError(f"{target} cannot be read: {error}") from error
    return found


def _write_manifest(target: Storage, content: bytes) -> None:
    try:
        target.write(MANIFEST, content)
    except Exception as error:  # object stores have exceptions of their own
        raise RunError(f"{target} cannot be written: {error}") from error


def _store_manifest(preset: str, written: dict[str, Any]) -> bytes:
    content = {"preset": preset, "strmatch": PACKAGE_VERSION, "models": written}
    return json.dumps(content, indent=2).encode()


def _write_folder(folder: Path, target: Storage, below: str = "") -> dict[str, str]:
    """Copy the files of a folder to a target. Returns the SHA-256 of each by its name."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        place = target.path(f"{below}/{name}" if below else name)
        if isinstance(target.fs, LocalFileSystem):
            Path(place).parent.mkdir(parents=True, exist_ok=True)
        with target.fs.open(place, "wb") as file:
            files[name] = _copy(path, file, f"writing {name}")
    return files


def _copy(path: Path, to: BinaryIO, what: str) -> str:
    """Copy a file to an open one. Returns the file's SHA-256."""
    digest, size = hashlib.sha256(), path.stat().st_size
    with path.open("rb") as file:
        chunks: Iterator[dict[str, Any]] = (
            {"mb": math.ceil(len(data) / MB), "data": data}
            for data in iter(lambda: file.read(CHUNK_MB * MB), b"")
        )
        if size > CHUNK_MB * MB:
            chunks = progress(chunks, what, math.ceil(size / MB), "mb")
        for chunk in chunks:
            digest.update(chunk["data"])
            to.write(chunk["data"])
    return digest.hexdigest()
