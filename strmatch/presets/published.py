"""Published text-to-video models: where they are, and what converts them."""

from dataclasses import dataclass

from strmatch.weights.source import Source

DIFFUSERS = "diffusion_pytorch_model.safetensors"
TRANSFORMERS = "model.safetensors"
DIFFUSERS_PICKLE = "diffusion_pytorch_model.bin"
TRANSFORMERS_PICKLE = "pytorch_model.bin"
TOKENIZER = ("tokenizer/*.json", "tokenizer/*.txt")
STABLE_DIFFUSION = (
    *("vae/config.json", f"vae/{DIFFUSERS}"),
    *("text_encoder/config.json", f"text_encoder/{TRANSFORMERS}"),
)
"""Files of Stable Diffusion that are copied, all except the UNet and the tokenizer."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published text-to-video model, which is converted once before use."""

    convert: str
    """`module:function`. The function receives the local checkpoint, the local base or None, and
    the folder to write to."""
    checkpoint: Source
    base: Source | None = None
    """The image model that provides the remaining parts; None: the checkpoint has all parts."""
    sha256: str | None = None
    """Attested SHA-256 of the checkpoint, if that is one pickle."""


def stable_diffusion(weights: str, *unet: str) -> Source:
    """Stable Diffusion 1 as the base of a video model.

    Args:
        weights: hub id with its commit.
        unet: further files that are required.
    """
    needed = (*STABLE_DIFFUSION, *unet, "tokenizer/*.json")
    return Source(weights, files=(*STABLE_DIFFUSION, *unet, *TOKENIZER), needed=needed)


def video_transformer(weights: str) -> Source:
    """A video transformer in diffusers layout, without code and pickles.

    Args:
        weights: hub id with its commit.
    """
    models = [
        f"{part}/{pattern}"
        for part in ("transformer", "vae", "text_encoder")
        for pattern in ("config.json", "*.safetensors")
    ]
    scheduler = "scheduler/scheduler_config.json"
    return Source(
        weights,
        files=(*models, "*/*.safetensors.index.json", *TOKENIZER, "tokenizer/*.model", scheduler),
        needed=(*models, "tokenizer/tokenizer_config.json", scheduler),
    )
