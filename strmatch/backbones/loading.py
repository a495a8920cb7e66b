"""From a preset's name, a folder or a URI to a backbone, strictly and without pickles."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.presets import NAMES, load_preset
from strmatch.settings import EditSettings

MANIFEST = "weights.json"
"""Names the files of a folder that `strmatch weights fetch` wrote, with their hashes."""
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


class WeightsError(Exception):
    """Weights that are missing, incomplete or not what their folder says."""


def load_backbone(
    source: str | os.PathLike[str] = "miniature",
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    settings: EditSettings | None = None,
    compiled: bool = False,
) -> VideoDiffusion:
    """Load a text-to-video model for editing.

    Args:
        source: a preset ("miniature", "lavie" …), or a folder or any fsspec URI (`s3://…`,
            `hf://…@revision`) in diffusers layout: unet/ (a `LaVieUNet`, `UNet3DConditionModel` or
            `UNetMotionModel`, as its config.json says), vae/, text_encoder/, tokenizer/,
            scheduler/. A remote folder is fetched once into `$STRMATCH_CACHE`
            (default ~/.cache/strmatch).
        device: default: the GPU if there is one, else the CPU.
        dtype: default: float16 on a GPU, float32 on a CPU.
        settings: what the backbone suggests to editors; default: the preset's, else LaVie's.
        compiled: see `VideoDiffusion`.

    Raises:
        WeightsError: the weights cannot be found, or do not fit the architecture exactly.
    """
    # Imported here so that `import strmatch` needs torch alone.
    from diffusers import AutoencoderKL, DDIMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer

    if settings is None:
        settings = load_preset(str(source)).edit if source in NAMES else EditSettings()
    folder = weights_folder(source)
    device = best_device(device)
    dtype = dtype or (torch.float16 if device.type == "cuda" else torch.float32)
    return VideoDiffusion(
        unet=_load_unet(folder / "unet", dtype).to(device),
        vae=load_strictly(AutoencoderKL, folder / "vae", dtype).to(device),
        text_encoder=load_strictly(CLIPTextModel, folder / "text_encoder", dtype).to(device),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
        settings=settings,
        revision=weights_revision(folder),
        compiled=compiled,
    )


def best_device(device: str | torch.device | None = None) -> torch.device:
    """`device`, by default the GPU if there is one, else the CPU."""
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def one_file(folder: Path, pattern: str) -> Path:
    """The file in a folder whose name has a pattern.

    Raises:
        WeightsError: there is none, or another one.
    """
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise WeightsError(f"{folder} must hold one file {pattern}, and holds {len(found)}")
    return found[0]


def weights_folder(source: str | os.PathLike[str]) -> Path:
    """The local folder that holds the weights of `source`, fetched first if they are remote.

    Raises:
        WeightsError: there is no such folder, or it is not a model's, or not the whole of it.
    """
    weights: str | None = os.fspath(source)
    if source in NAMES:
        weights = load_preset(str(source)).weights
    if weights is None:
        raise WeightsError(
            f"the preset {source!r} ships no weights: name a folder or URI that holds them in "
            "diffusers layout (unet/, vae/, text_encoder/, tokenizer/, scheduler/), such as "
            f"`strmatch weights fetch {source}` writes"
        )
    folder = fetch(weights, _check_hashes) if "://" in weights else Path(weights)
    for part in PARTS:
        if not (folder / part).is_dir():
            raise WeightsError(f"{weights} is no model folder: it has no {part}/")
    if (folder / MANIFEST).is_file():
        read_manifest(folder)
    return folder


def read_manifest(folder: Path) -> dict[str, str]:
    """The sha256 of each file of a folder that `strmatch weights fetch` has finished.

    Raises:
        WeightsError: it has not, or the manifest is none.
    """
    try:
        files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise WeightsError(f"cannot read {folder / MANIFEST}: {error}") from error
    if not files:
        raise WeightsError(
            f"{folder} is not whole: give the `strmatch weights fetch` that began it again"
        )
    return files


def _check_hashes(folder: Path) -> None:
    """Refuse a copy whose files are not those of its manifest, if it has one."""
    if not (folder / MANIFEST).is_file():
        return
    for name, expected in read_manifest(folder).items():
        if not (folder / name).is_file():
            raise WeightsError(f"{name} is missing")
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise WeightsError(f"{name} is not the file that {MANIFEST} names")


def weights_revision(folder: Path) -> str:
    """A hash over the names and contents of all files of the model's parts."""
    digest = hashlib.sha256()
    for path in sorted(p for part in PARTS for p in (folder / part).rglob("*") if p.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def cached(uri: str) -> Path:
    """Where `fetch` puts a remote folder."""
    cache = Path(os.environ.get("STRMATCH_CACHE", "~/.cache/strmatch")).expanduser()
    return cache / hashlib.sha256(uri.encode()).hexdigest()[:16]


def fetch(uri: str, check: Callable[[Path], None] | None = None) -> Path:
    """The local copy of a remote folder, fetched into `$STRMATCH_CACHE` by the first who asks.

    Args:
        check: raises for a copy that shall not be kept.

    Raises:
        WeightsError: it cannot be fetched.
    """
    import fsspec
    from filelock import FileLock

    target = cached(uri)
    cache = target.parent
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):  # the other editors of this machine wait
        if target.is_dir():
            return target
        partial = Path(tempfile.mkdtemp(dir=cache))
        try:
            filesystem, path = fsspec.url_to_fs(uri)
            filesystem.get(path.rstrip("/") + "/", f"{partial}/", recursive=True)
            if check:
                check(partial)
            return partial.rename(target)
        except Exception as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise WeightsError(f"cannot fetch weights from {uri}: {error}") from error


def _load_unet(folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    """The UNet of the class that its config.json names."""
    from diffusers import UNet3DConditionModel, UNetMotionModel

    from strmatch.backbones.factorised import FactorisedUNet
    from strmatch.backbones.lavie import LaVieUNet

    classes = {cls.__name__: cls for cls in (LaVieUNet, UNet3DConditionModel, UNetMotionModel)}
    try:
        name = json.loads((folder / "config.json").read_text("utf-8")).get("_class_name")
    except (OSError, ValueError) as error:
        raise WeightsError(f"cannot read {folder}/config.json: {error}") from error
    if name not in classes:
        raise WeightsError(
            f"{folder}/config.json: _class_name must be one of {', '.join(classes)}, got {name!r}"
        )
    unet = load_strictly(classes[name], folder, dtype)
    try:
        return unet if name == "LaVieUNet" else FactorisedUNet(unet)
    except ValueError as error:
        raise WeightsError(f"{folder}: {error}") from error


def load_strictly(cls: Any, folder: Path, dtype: torch.dtype, *, extra: bool = False) -> Any:
    """Load a model from safetensors, refusing missing, misshapen and unexpected tensors.

    Args:
        extra: whether there may be tensors that the model has no use for.

    Raises:
        WeightsError: names the folder and what is wrong with it.
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
    """Say the first few of the `faults` that weights at `path` have for a model, if any.

    Raises:
        WeightsError: there are faults.
    """
    if faults:
        more = f"; {len(faults) - 3} more" if len(faults) > 3 else ""
        raise WeightsError(f"{path} does not fit {model}: {', '.join(faults[:3])}{more}")
