"""From a preset's name, a folder or a URI to a backbone, strictly and without pickles."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.presets import NAMES, load_preset
from strmatch.settings import EditSettings

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


class WeightsError(Exception):
    """Weights that are missing, incomplete or not what their folder says."""


def load_backbone(
    source: str | os.PathLike[str] = "miniature",
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    settings: EditSettings | None = None,
) -> VideoDiffusion:
    """Load a text-to-video model for editing.

    Args:
        source: a preset ("miniature", "lavie"), or a folder or any fsspec URI (`s3://…`,
            `hf://…@revision`) in diffusers layout: unet/, vae/, text_encoder/, tokenizer/,
            scheduler/. A remote folder is fetched once into `$STRMATCH_CACHE`
            (default ~/.cache/strmatch).
        device: default: the GPU if there is one, else the CPU.
        dtype: default: float16 on a GPU, float32 on a CPU.
        settings: what the backbone suggests to editors; default: the preset's, else LaVie's.

    Raises:
        WeightsError: the weights cannot be found, or do not fit the architecture exactly.
    """
    # Imported here so that `import strmatch` needs torch alone.
    from diffusers import AutoencoderKL, DDIMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer

    from strmatch.backbones.lavie import LaVieUNet

    if settings is None:
        settings = load_preset(str(source)).edit if source in NAMES else EditSettings()
    folder = weights_folder(source)
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dtype = dtype or (torch.float16 if device.type == "cuda" else torch.float32)
    return VideoDiffusion(
        unet=_load_strictly(LaVieUNet, folder / "unet", dtype).to(device),
        vae=_load_strictly(AutoencoderKL, folder / "vae", dtype).to(device),
        text_encoder=_load_strictly(CLIPTextModel, folder / "text_encoder", dtype).to(device),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
        settings=settings,
        revision=weights_revision(folder),
    )


def weights_folder(source: str | os.PathLike[str]) -> Path:
    """The local folder that holds the weights of `source`, fetched first if they are remote.

    Raises:
        WeightsError: there is no such folder, or it is not a model's.
    """
    weights: str | None = os.fspath(source)
    if source in NAMES:
        weights = load_preset(str(source)).weights
    if weights is None:
        raise WeightsError(
            f"the preset {source!r} ships no weights: name a folder or URI that holds them in "
            "diffusers layout (unet/, vae/, text_encoder/, tokenizer/, scheduler/)"
        )
    folder = fetch(weights) if "://" in weights else Path(weights)
    for part in PARTS:
        if not (folder / part).is_dir():
            raise WeightsError(f"{weights} is no model folder: it has no {part}/")
    return folder


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


def fetch(uri: str) -> Path:
    """The local copy of a remote folder, fetched into `$STRMATCH_CACHE` by the first who asks.

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
            return partial.rename(target)
        except Exception as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise WeightsError(f"cannot fetch weights from {uri}: {error}") from error


def _load_strictly(cls: Any, folder: Path, dtype: torch.dtype) -> Any:
    """Load a model from safetensors, refusing missing, unexpected and misshapen tensors."""
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
    wrong = {
        kind: sorted(str(key) for key in report[kind])
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if report[kind]
    }
    if wrong:
        raise WeightsError(f"{folder} does not fit {cls.__name__}: {wrong}")
    return model
