"""Convert published checkpoints to folders of safetensors that `load_backbone` reads.

Every conversion writes unet/, vae/, text_encoder/, tokenizer/ and scheduler/ into an empty folder.
It raises `WeightsError` if a source lacks a file or does not fit the architecture. Converted parts
are float16. The autoencoder and text encoder of Stable Diffusion are copied as published, in
float32. `load_backbone` casts all parts to one dtype.
"""

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    MotionAdapter,
    UNet2DConditionModel,
    UNet3DConditionModel,
    UNetMotionModel,
)
from safetensors.torch import save_file
from torch import Tensor

from strmatch.backbones.lavie import LaVieUNet
from strmatch.backbones.lavie_layers import RotaryEmbedding
from strmatch.presets.lavie import CHECKPOINT
from strmatch.presets.published import (
    DIFFUSERS,
    DIFFUSERS_PICKLE,
    STABLE_DIFFUSION,
    TOKENIZER,
    TRANSFORMERS,
    TRANSFORMERS_PICKLE,
)
from strmatch.weights.checkpoint import read_tensors
from strmatch.weights.errors import WeightsError
from strmatch.weights.strict import check_fit, load_strictly

DTYPE = torch.float16
HEADS = 8
LAVIE_SIZE = (40, 64)
ZEROSCOPE_SIZE = (40, 72)


def convert_lavie(checkpoint: Path, base: Path, folder: Path) -> None:
    """Convert LaVie base.

    Args:
        checkpoint: `lavie_base.pt`, or a folder with that file. Other layer widths are accepted if
            attention heads have at least 32 channels, the width of the rotary embedding.
        base: a folder with Stable Diffusion 1.4.
        folder: an empty folder to write to.
    """
    path = checkpoint / CHECKPOINT if checkpoint.is_dir() else checkpoint
    tensors = read_tensors(path, "ema")
    try:
        with torch.device("meta"):
            unet = LaVieUNet(**lavie_arguments(tensors))
    except ValueError as error:
        raise WeightsError(f"{path} is of no LaVieUNet: {error}") from error
    check_fit(tensors, unet, path)
    exact = RotaryEmbedding().freqs
    for name, tensor in tensors.items():
        if name.endswith("rotary_emb.freqs"):
            if not torch.allclose(tensor.float(), exact, rtol=1e-3, atol=0):
                raise WeightsError(f"{path}: {name} is not 10000^(−2k/32)")
            tensors[name] = exact
    _write(tensors, folder / "unet", DIFFUSERS, path)
    unet.save_config(folder / "unet")
    _take(base, folder, *STABLE_DIFFUSION, *TOKENIZER)
    # Unlike Stable Diffusion, whose betas are scaled linear from 0.00085 to 0.012.
    _write_scheduler(folder, beta_start=1e-4, beta_end=0.02, beta_schedule="linear")


def convert_zeroscope(checkpoint: Path, base: Path | None, folder: Path) -> None:
    """Convert Zeroscope or ModelScope, published in diffusers layout as pickles or safetensors.

    Args:
        checkpoint: the published folder.
        base: None, because all parts are published together.
        folder: an empty folder to write to.
    """
    _take(checkpoint, folder, "unet/config.json", "vae/config.json", "text_encoder/config.json")
    _take(checkpoint, folder, *TOKENIZER, "scheduler/scheduler_config.json")
    for part, name in (("vae", DIFFUSERS), ("text_encoder", TRANSFORMERS)):
        path = _find_tensors(checkpoint / part)
        _write(read_tensors(path), folder / part, name, path)
    path = _find_tensors(checkpoint / "unet")
    tensors = read_tensors(path)
    config = UNet3DConditionModel.load_config(folder / "unet") | {"sample_size": ZEROSCOPE_SIZE}
    with torch.device("meta"):
        unet = UNet3DConditionModel.from_config(config)
    check_fit(tensors, unet, path)
    _write(tensors, folder / "unet", DIFFUSERS, path)
    unet.save_config(folder / "unet")


def convert_animatediff(checkpoint: Path, base: Path, folder: Path) -> None:
    """Convert AnimateDiff: insert a motion adapter into the UNet of Stable Diffusion 1.5.

    Args:
        checkpoint: the folder of a MotionAdapter.
        base: a folder with Stable Diffusion 1.5.
        folder: an empty folder to write to.
    """
    unet = load_strictly(UNet2DConditionModel, base / "unet", torch.float32)
    adapter = load_strictly(MotionAdapter, checkpoint, torch.float32)
    try:
        joined = UNetMotionModel.from_unet2d(unet, adapter)
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"{checkpoint} does not fit {base}/unet: {error}") from error
    _write(joined.state_dict(), folder / "unet", DIFFUSERS, checkpoint)
    joined.save_config(folder / "unet")
    _take(base, folder, *STABLE_DIFFUSION, *TOKENIZER)
    _write_scheduler(folder, beta_start=0.00085, beta_end=0.012, beta_schedule="linear")


def lavie_arguments(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Derive the arguments of the `LaVieUNet` from the shapes of its tensors.

    Uses the most common size of each kind of tensor, so that `check_fit` finds a misshapen one.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}

    def common(pattern: str, axis: int, otherwise: int) -> int:
        sizes = Counter(
            shape[axis]
            for name, shape in shapes.items()
            if re.match(pattern, name) and len(shape) > axis
        )
        return sizes.most_common(1)[0][0] if sizes else otherwise

    def count(pattern: str) -> int:
        return len({found[0] for name in shapes if (found := re.match(pattern, name))})

    levels = range(count(r"down_blocks\.\d+\."))

    def heads(level: int) -> int:
        up, mid = len(levels) - 1 - level, "|mid_block" if level == levels[-1] else ""
        stages = rf"(down_blocks\.{level}|up_blocks\.{up}{mid})\."
        return common(stages + r".*relative_attention_bias\.weight", 1, HEADS)

    return {
        "sample_size": LAVIE_SIZE,
        "in_channels": common(r"conv_in\.weight", 1, 4),
        "out_channels": common(r"conv_out\.", 0, 4),
        "block_out_channels": [common(rf"down_blocks\.{n}\.resnets\.", 0, 0) for n in levels],
        "layers_per_block": count(r"down_blocks\.0\.resnets\.\d+\."),
        "down_block_types": [
            "CrossAttnDownBlock3D" if count(rf"down_blocks\.{n}\.attentions\.") else "DownBlock3D"
            for n in levels
        ],
        "up_block_types": [
            "CrossAttnUpBlock3D" if count(rf"up_blocks\.{n}\.attentions\.") else "UpBlock3D"
            for n in levels
        ],
        "cross_attention_dim": common(r".*\.attn2\.to_[kv]\.weight", 1, 0),
        "attention_head_dim": [heads(n) for n in levels],
    }


def _find_tensors(folder: Path) -> Path:
    """Return the weights file of a published part, preferably safetensors."""
    for name in (DIFFUSERS, TRANSFORMERS, DIFFUSERS_PICKLE, TRANSFORMERS_PICKLE):
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(f"{folder} has no {DIFFUSERS} and no other weights")


def _write(tensors: Mapping[str, Tensor], folder: Path, name: str, source: Path) -> None:
    """Write float16 safetensors. Rotary frequencies, which are small, keep their dtype."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for key, tensor in tensors.items():
        narrow = tensor.is_floating_point() and not key.endswith("rotary_emb.freqs")
        # Copied because safetensors rejects tensors with shared memory.
        copy = tensor.to(DTYPE if narrow else tensor.dtype, copy=True).contiguous()
        if not copy.isfinite().all():
            raise WeightsError(f"{source}: {key} is not finite as float16")
        written[key] = copy
    save_file(written, folder / name, {"format": "pt"})


def _take(source: Path, folder: Path, *patterns: str) -> None:
    """Copy files below `source` to the same relative paths below `folder`."""
    for pattern in patterns:
        found = [path for path in source.glob(pattern) if path.is_file()]
        if not found and pattern != "tokenizer/*.txt":  # optional: tokenizer.json is self-contained
            raise WeightsError(f"{source} has no {pattern}")
        for path in found:
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _write_scheduler(folder: Path, **betas: Any) -> None:
    scheduler = DDIMScheduler(
        **betas,
        steps_offset=1,
        set_alpha_to_one=False,
        clip_sample=False,
        prediction_type="epsilon",
    )
    scheduler.save_pretrained(folder / "scheduler")
