"""The job of `strmatch weights fetch`: converts published checkpoints to safetensors."""

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from fsspec.implementations.local import LocalFileSystem
from tqdm import tqdm

from pipelines.errors import RunError
from pipelines.progress import progress
from pipelines.storage import Storage
from pipelines.versions import PACKAGE_VERSION
from strmatch import WeightsError, load_backbone
from strmatch.backbones import conversion
from strmatch.weights.locate import local_folder
from strmatch.weights.manifest import MANIFEST, weights_revision
from strmatch.weights.remote import download, is_remote

CHUNK_MB = 16
MB = 2**20


@dataclass(frozen=True)
class Published:
    """The published sources of a model, and the files that are required. Hub ids name a commit."""

    convert: Callable[..., None]
    """Receives the local checkpoint, the local base or None, and the folder to write to."""
    checkpoint: str
    files: tuple[str, ...]
    """Patterns of the required files of the checkpoint."""
    base: str | None = None
    """The image model that provides the remaining parts; None if the checkpoint has all parts."""
    base_files: tuple[str, ...] = conversion.STABLE_DIFFUSION


MODELS = {
    "lavie": Published(
        conversion.convert_lavie,
        "Vchitect/LaVie@main",  # not pinned: the manifest records the commit that was taken
        (conversion.CHECKPOINT,),
        "CompVis/stable-diffusion-v1-4@133a221b8aa7292a167afc5127cb63fb5005638b",
    ),
    "zeroscope": Published(
        conversion.convert_zeroscope,
        "cerspense/zeroscope_v2_576w@6963642a64dbefa93663d1ecebb4ceda2d9ecb28",
        conversion.ZEROSCOPE,
    ),
    "animatediff": Published(
        conversion.convert_animatediff,
        "guoyww/animatediff-motion-adapter-v1-5-2@6167b88ffe39b4441fdf2113e77b99a6f56b7906",
        ("config.json", conversion.DIFFUSERS),
        "stable-diffusion-v1-5/stable-diffusion-v1-5@451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        ("unet/config.json", f"unet/{conversion.DIFFUSERS}", *conversion.STABLE_DIFFUSION),
    ),
}


def fetch(model: str, to: str, checkpoint: str | None, base: str | None) -> None:
    """Convert a published model into the folder `to`, and verify that the result loads.

    A manifest without files is written first, and the complete one last. All loaders reject an
    incomplete folder; running this command again restarts the conversion.

    Args:
        model: one of `MODELS`.
        to: a folder or fsspec URI that is empty, or that this command wrote.
        checkpoint, base: a path, an fsspec URI or a hub id with its commit, `owner/name@commit`;
            default: where the model was published.

    Raises:
        RunError: a source cannot be read, does not fit the model, or would execute code; or `to`
            cannot be written.
    """
    if model not in MODELS:
        raise RunError(f"no model {model!r} is known to fetch; there are {', '.join(MODELS)}")
    published, target = MODELS[model], Storage(to)
    if base and not published.base:
        raise RunError(f"{model} is published whole: it takes no --base")
    begun = _find_begun(target, model)
    if begun and begun["files"]:
        print(f"  {to}: {model} is there already")
        return
    try:
        target.write(MANIFEST, _manifest(model, {}, {}))
    except Exception as error:  # object stores have exceptions of their own
        raise RunError(f"{to} cannot be written: {error}") from error
    try:
        with tempfile.TemporaryDirectory(prefix="strmatch-") as scratch:
            revision, manifest = _convert(published, model, checkpoint, base, Path(scratch), target)
        target.write(MANIFEST, manifest)
    except WeightsError as error:
        if begun is None:
            target.remove(MANIFEST)
        raise RunError(str(error)) from error
    except Exception as error:
        raise RunError(f"{model} could not be fetched to {to}: {error}") from error
    print(f"  {to}: {model}, revision {revision}")


def _find_begun(target: Storage, model: str) -> dict[str, Any] | None:
    """Return the manifest of an earlier fetch of the model; None if the folder is empty or missing.

    Raises:
        RunError: the folder holds something else, or cannot be read.
    """
    try:
        if not target.exists(MANIFEST):
            if target.exists() and target.fs.ls(target.root):
                raise RunError(f"{target} is not empty: name a folder of its own")
            return None
        found = json.loads(target.read(MANIFEST))
        if found["model"] != model:
            raise RunError(f"{target} holds {found['model']}: name a folder of its own")
    except RunError:
        raise
    except Exception as error:
        raise RunError(f"{target} cannot be read: {error}") from error
    return found


def _convert(
    published: Published,
    model: str,
    checkpoint: str | None,
    base: str | None,
    scratch: Path,
    target: Storage,
) -> tuple[str, bytes]:
    """Write all files except the manifest. Returns the revision and the complete manifest."""
    sources = {"checkpoint": (checkpoint or published.checkpoint, published.files)}
    if published.base:
        sources["base"] = (base or published.base, published.base_files)
    local: dict[str, Path] = {}
    origins: dict[str, Any] = {}
    for role, (source, patterns) in sources.items():
        local[role], origins[role] = _obtain(source, patterns, scratch / role)
    folder = scratch / model
    folder.mkdir()
    print("  converting to safetensors, float16", flush=True)
    published.convert(local["checkpoint"], local.get("base"), folder)
    backbone = load_backbone(folder, device="cpu", dtype=torch.float16)
    _check_text(backbone)
    del backbone
    if local["checkpoint"].is_file():
        origins["checkpoint_sha256"] = _copy(local["checkpoint"], None, "hashing")
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if isinstance(target.fs, LocalFileSystem):
            Path(target.path(name)).parent.mkdir(parents=True, exist_ok=True)
        with target.fs.open(target.path(name), "wb") as file:
            files[name] = _copy(path, file, f"writing {name}")
    return weights_revision(folder), _manifest(model, origins, files)


def _check_text(backbone: Any) -> None:
    width, wanted = backbone.embed("").shape[-1], backbone.unet.config.cross_attention_dim
    if width != wanted:
        raise WeightsError(
            f"the text encoder is {width} channels wide and the UNet wants {wanted}: name the base "
            "that the model was made from"
        )


def _manifest(model: str, sources: dict[str, Any], files: dict[str, str]) -> bytes:
    content = {"model": model, "strmatch": PACKAGE_VERSION, "sources": sources, "files": files}
    return json.dumps(content, indent=2).encode()


def _obtain(source: str, patterns: tuple[str, ...], scratch: Path) -> tuple[Path, str]:
    """Return the local file or folder of a source, and the origin that the manifest records.

    Raises:
        WeightsError: the source cannot be read.
    """
    if is_remote(source):
        origin = source.split("?")[0]  # a query may hold a signature
        print(f"  fetching {origin}", flush=True)
        try:
            copies = download(source, scratch, patterns, _Bar)
        except Exception as error:
            raise WeightsError(f"cannot fetch {origin}: {error}") from error
        return copies[0] if len(copies) == 1 else scratch, origin
    if Path(source).exists():
        return Path(source), source
    print(f"  fetching {source} from the hub", flush=True)
    folder = local_folder(source, files=patterns, progress=_Bar)
    return folder, f"{source.partition('@')[0]}@{folder.name}"


class _Bar(tqdm):
    """A progress bar that is shown on a terminal although the command line disables others."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"disable": None})


def _copy(path: Path, to: BinaryIO | None, what: str) -> str:
    """Copy a file to an open one, or only read it if that is None. Returns the file's sha256."""
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
            if to:
                to.write(chunk["data"])
    return digest.hexdigest()
