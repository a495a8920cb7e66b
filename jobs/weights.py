"""The job behind `strmatch weights fetch`: published checkpoints to a folder of safetensors."""

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO

import torch
from fsspec.implementations.local import LocalFileSystem
from tqdm import tqdm

from pipelines.errors import RunError
from pipelines.progress import progress
from pipelines.storage import Storage, filesystem
from pipelines.versions import PACKAGE_VERSION
from strmatch import WeightsError, load_backbone
from strmatch.backbones import conversion
from strmatch.weights.manifest import MANIFEST, weights_revision

CHUNK_MB = 16
MB = 2**20


@dataclass(frozen=True)
class Published:
    """Where a model was published, and what of it is needed. Hub ids are pinned as id@commit."""

    convert: Callable[..., None]
    """Takes the local checkpoint, the local base or None, and the folder to write to."""
    checkpoint: str
    files: tuple[str, ...]
    """Patterns of the files that are needed of a folder."""
    base: str | None = None
    """The image model whose other parts it uses."""
    base_files: tuple[str, ...] = conversion.STABLE_DIFFUSION


MODELS = {
    "lavie": Published(
        conversion.convert_lavie,
        "Vchitect/LaVie@main",  # its commits are not known here: the manifest keeps the one taken
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
    """Convert a published model into the folder `to`, and prove that it loads.

    The manifest is there first, without files, and written last with all of them: a folder that was
    left half-written is refused by everybody but this command, which begins it anew.

    Args:
        model: one of `MODELS`.
        to: a folder or fsspec URI that is empty, or holds what this command wrote.
        checkpoint, base: a path, an fsspec URI or a hub id with its commit, id@commit; default:
            where they were published.

    Raises:
        RunError: a source is out of reach, is not what it should be, or would run code.
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
    """The manifest of an earlier fetch of the model; anything else that is there is in the way."""
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
    """Write everything but the manifest; returns the revision and the finished manifest."""
    sources = {"checkpoint": (checkpoint or published.checkpoint, published.files)}
    if published.base:
        sources["base"] = (base or published.base, published.base_files)
    local: dict[str, Path] = {}
    origins: dict[str, Any] = {}
    for role, (source, patterns) in sources.items():
        local[role], origins[role] = _bring(source, patterns, scratch / role)
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


def _bring(source: str, patterns: tuple[str, ...], scratch: Path) -> tuple[Path, str]:
    """The local file or folder of a source, and what to call it in the manifest.

    Raises:
        WeightsError: it is out of reach.
    """
    if "://" in source:
        name = source.split("?")[0]  # what follows may be a signature
        print(f"  fetching {name}", flush=True)
        try:
            return _download(source, patterns, scratch), name
        except Exception as error:
            raise WeightsError(f"cannot fetch {name}: {error}") from error
    if Path(source).exists():
        return Path(source), source
    name, _, commit = source.partition("@")
    if Path(source).is_absolute() or name.count("/") != 1 or not commit:
        raise WeightsError(
            f"there is no file or folder {source}; a hub id needs its commit, as owner/name@commit"
        )
    from huggingface_hub import snapshot_download

    print(f"  fetching {source} from the hub", flush=True)
    try:
        folder = snapshot_download(
            name, revision=commit, allow_patterns=list(patterns), tqdm_class=_Bar
        )
    except Exception as error:
        raise WeightsError(f"cannot fetch {source} from the hub: {error}") from error
    return Path(folder), f"{name}@{Path(folder).name}"


class _Bar(tqdm):
    """Shows the hub's downloads, which the command line switches off elsewhere, on a terminal."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"disable": None})


def _download(uri: str, patterns: tuple[str, ...], scratch: Path) -> Path:
    """Copy a file, or the files of a folder that match."""
    fs, root = filesystem(uri, {})
    if fs.isfile(root):
        names, root = [root.rsplit("/", 1)[-1]], root.rsplit("/", 1)[0]
    else:
        root = root.rstrip("/")
        names = [path[len(root) + 1 :] for path in fs.find(root)]
        names = [name for name in names if any(_matches(name, pattern) for pattern in patterns)]
        if not names:
            raise FileNotFoundError(f"it has none of {', '.join(patterns)}")
    for name in names:
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        with (scratch / name).open("wb") as file, fs.open(f"{root}/{name}", "rb") as remote:
            _stream(remote, fs.size(f"{root}/{name}"), file, f"fetching {name}")
    return scratch / names[0] if len(names) == 1 else scratch


def _matches(name: str, pattern: str) -> bool:
    return fnmatch(name, pattern) and name.count("/") == pattern.count("/")


def _copy(path: Path, to: BinaryIO | None, what: str) -> str:
    """Copy a file, or only read it; returns its sha256."""
    with path.open("rb") as file:
        return _stream(file, path.stat().st_size, to, what)


def _stream(file: Any, size: int, to: BinaryIO | None, what: str) -> str:
    digest = hashlib.sha256()
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
