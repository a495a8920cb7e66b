"""Models and clips of the benchmark. Random weights suffice: speed does not depend on values."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet3DConditionModel, UNetMotionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from strmatch import EditSettings, load_backbone
from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.backbones.factorised import FactorisedUNet
from strmatch.backbones.lavie import LaVieUNet
from strmatch.miniature.model import make_scheduler
from strmatch.miniature.tokenizer import make_tokenizer
from strmatch.presets import load_preset

SOURCE = "a red circle moving right over bricks"
TARGETS = tuple(
    f"a {colour} {shape} moving right over bricks"
    for shape in ("square", "star")
    for colour in ("blue", "green", "yellow", "white")
)


@dataclass(frozen=True)
class Model:
    """A backbone and a clip for it, uint8 (f, H, W, 3)."""

    backbone: VideoDiffusion
    frames: np.ndarray
    steps: int
    """Default number of denoising steps of an edit, chosen for an acceptable duration."""
    fast: EditSettings | None = None
    """Settings of a fast preset to compare with the backbone's own. None: not compared."""

    @cached_property
    def compiled(self) -> VideoDiffusion:
        """A compiled copy of the backbone, whose weights have another memory layout."""
        of = self.backbone
        unet = copy.deepcopy(of.unet)
        parts = (unet, of.vae, of.text_encoder, of.tokenizer, of.scheduler, of.settings)
        return VideoDiffusion(*parts, num_frames=of.num_frames, compiled=True)


def make_miniature() -> Model:
    """Returns the embedded trained model."""
    preset = load_preset("miniature")
    clip, fast = make_clip(preset.height, preset.width), load_preset("miniature-fast").edit
    backbone = load_backbone(settings=preset.edit)
    assert isinstance(backbone, VideoDiffusion)
    return Model(backbone, clip, steps=10, fast=fast)


def make_lavie_narrow() -> Model:
    """Returns LaVie with a tenth of its channels and random weights, at 320×512 pixels."""
    return _random_lavie((32, 64, 128, 128), heads=(1, 2, 4, 4), text=64, image=8, steps=2)


def make_lavie() -> Model:
    """Returns LaVie at full size with random weights, for a GPU."""
    return _random_lavie((320, 640, 1280, 1280), heads=8, text=768, image=128, steps=50)


def make_zeroscope() -> Model:
    """Returns Zeroscope at full size, 24 frames of 320×576, random weights, for a GPU."""
    torch.manual_seed(0)
    unet = FactorisedUNet(_awake(UNet3DConditionModel(attention_head_dim=64)))
    return random_model(unet, text=1024, image=128, clip=make_clip(320, 576, frames=24), steps=50)


def make_animatediff() -> Model:
    """Returns AnimateDiff at full size, 16 frames of 512×512, random weights, for a GPU."""
    torch.manual_seed(0)
    unet = FactorisedUNet(_awake(UNetMotionModel(cross_attention_dim=768)))
    return random_model(unet, text=768, image=128, clip=make_clip(512, 512), steps=50)


MODELS: dict[str, Callable[[], Model]] = {
    "miniature": make_miniature,
    "lavie-narrow": make_lavie_narrow,
    "lavie": make_lavie,
    "zeroscope": make_zeroscope,
    "animatediff": make_animatediff,
}
FULL_SIZE = ("lavie", "zeroscope", "animatediff")
"""Models that take hours without a GPU."""


def _random_lavie(
    widths: tuple[int, ...], heads: int | Sequence[int], text: int, image: int, steps: int
) -> Model:
    torch.manual_seed(0)
    unet = LaVieUNet(block_out_channels=widths, attention_head_dim=heads, cross_attention_dim=text)
    return random_model(_awake(unet), text, image, make_clip(320, 512), steps)


@torch.no_grad()
def _awake(unet: nn.Module) -> nn.Module:
    """Perturbs all weights, because branches that start at zero would stay inactive."""
    for parameter in unet.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.02)
    return unet


def random_model(unet: nn.Module, text: int, image: int, clip: np.ndarray, steps: int) -> Model:
    """Returns a model of the UNet with an autoencoder and a text encoder as in Stable Diffusion.

    Args:
        unet: a UNet for text embeddings of `text` channels.
        image: channels of the autoencoder's finest level.
        clip, steps: see `Model`.
    """
    tokenizer = make_tokenizer()
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(image, 2 * image, 4 * image, 4 * image),
        layers_per_block=2,
        norm_num_groups=min(image, 32),
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=text,
            intermediate_size=4 * text,
            num_hidden_layers=12,
            num_attention_heads=text // 32,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    # Labels as in Algorithm 1, so that both forms keep the scores of the inversion.
    settings = EditSettings(inversion_label="current")
    if torch.cuda.is_available():
        unet, vae, text_encoder = (m.cuda().half() for m in (unet, vae, text_encoder))
    backbone = VideoDiffusion(
        unet,
        vae,
        text_encoder,
        tokenizer,
        make_scheduler("epsilon"),
        settings,
        num_frames=len(clip),
    )
    return Model(backbone, clip, steps)


def make_clip(height: int, width: int, frames: int = 16) -> np.ndarray:
    """Returns a clip of colour waves that move, uint8 (f, H, W, 3)."""
    x = np.arange(width)[None, None, :] + 2 * np.arange(frames)[:, None, None]
    y = np.arange(height)[None, :, None]
    waves = [np.sin(k * x * 6.3 / width + y * 6.3 / height) for k in (1, 2, 3)]
    return (127.5 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)
