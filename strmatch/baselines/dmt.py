"""DMT (Yatim et al. 2024, arXiv 2311.17009): motion transfer by space-time features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.baselines.base import InversionSettings, invert, settings_for
from strmatch.ddim import ddim_step
from strmatch.editor import EditResult, Inversion
from strmatch.guidance import guided_epsilon

LOSS_SCALE = 2.0**16  # for gradients of half precision, as published; Adam does not see it


@dataclass(frozen=True, kw_only=True)
class DMTSettings(InversionSettings):
    """The defaults are the published configuration's."""

    its_own: ClassVar[tuple[str, ...]] = ("guidance_scale",)

    guidance_scale: float = 10.0
    """Classifier-free guidance towards the target prompt."""

    negative_prompt: str = (
        "bad quality, distortions, unrealistic, distorted image, watermark, signature"
    )
    """Prompt of the unconditional slot."""

    lr: float = 0.007
    """Adam's learning rate at the noisiest step: about as far as each latent, of deviation 1, moves
    in an iteration. It was chosen for 50 steps, of which 20 are optimised; with fewer steps the
    same way altogether takes one that is larger in proportion."""

    lr_decay: float = 4 / 7
    """The last optimised step's learning rate over the first's; it falls linearly."""

    optimised_share: float = 0.4
    """Share of the steps, from the noisiest on, that are optimised."""

    iterations: int = 10
    """Of Adam in an optimised step."""

    low_frequencies: int = 4
    """The first latents keep of the inverted ones what survives a size this many times smaller;
    the rest is fresh noise. 1: all is kept."""

    restart: bool = True
    """Every step but the last adds its noise again, and is denoised once more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lr", "lr_decay", "iterations"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be ≥ 0, got {getattr(self, name)}")
        if not 0 <= self.optimised_share <= 1:
            raise ValueError(f"optimised_share must be from 0 to 1, got {self.optimised_share}")
        if self.low_frequencies < 1:
            raise ValueError(f"low_frequencies must be ≥ 1, got {self.low_frequencies}")


class DMT:
    """Makes a clip of the target prompt whose features change from frame to frame as the source's.

    There is no mask: DMT makes the whole scene anew.

    Departures: the clip is inverted in as many steps as it is denoised, labelled as the backbone's
    other inversions are (published: 999 steps); no phrase that asks for quality comes before the
    prompts; the modules that are looked at are the UNet's `space_time_modules`, on Zeroscope those
    published; in half precision the loss is scaled by a constant.

    Args:
        backbone: see `strmatch.load_backbone`.
        settings: default: those of the paper, and of the backbone where they are its own.
    """

    def __init__(self, backbone: Backbone, settings: DMTSettings | None = None) -> None:
        self.backbone = backbone
        self.settings = settings or settings_for(DMTSettings, backbone.settings)

    def invert(self, frames: np.ndarray, source_prompt: str) -> Inversion:
        """Walk the clip into noise with its own prompt.

        Args:
            frames: uint8 (f, H, W, 3), RGB.
            source_prompt: what the clip shows.

        Raises:
            ValueError: frames of another shape or dtype, or of a size the backbone cannot take.
        """
        return invert(self.backbone, frames, source_prompt, self.settings)

    @torch.no_grad()
    def edit(
        self,
        inversion: Inversion,
        target_prompt: str,
        *,
        mask: np.ndarray | None = None,
        seed: int = 0,
    ) -> EditResult[DMTSettings]:
        """Denoise towards the target prompt, led by the source's features.

        Args:
            inversion: from `invert`.
            target_prompt: what the clip shall show.
            mask: None.
            seed: of all noise.

        Raises:
            ValueError: a mask.
        """
        if mask is not None:
            raise ValueError("DMT edits without a mask")
        settings, backbone, schedule = self.settings, self.backbone, inversion.schedule
        alphas, z_source = schedule.alphas, inversion.latents
        source = backbone.embed(inversion.source_prompt)
        target = backbone.embed(target_prompt)
        unconditional = backbone.embed(settings.negative_prompt)
        generator = torch.Generator().manual_seed(seed)

        def noise() -> Tensor:
            return torch.randn(z_source[0].shape, generator=generator).to(z_source)

        def denoise(z: Tensor, level: int) -> Tensor:
            t, scale = schedule.timesteps[level], settings.guidance_scale
            epsilon = guided_epsilon(backbone, z, t, unconditional, target, scale)
            return ddim_step(z, epsilon, alphas[level], alphas[level - 1])

        optimised = round(settings.optimised_share * schedule.num_steps)
        rates = np.linspace(settings.lr, settings.lr * settings.lr_decay, optimised)
        z = replace_high_frequencies(z_source[-1], noise(), settings.low_frequencies)
        for step, level in enumerate(range(schedule.num_steps, 0, -1)):
            if step < optimised:
                t = schedule.timesteps[level]
                wanted = backbone.averaged_features(z_source[level], t, source)
                z, _ = self.match(z, t, target, wanted, rates[step])
            z = denoise(z, level)
            if settings.restart and level > 1:
                kept = alphas[level] / alphas[level - 1]
                z = denoise(kept**0.5 * z + (1 - kept) ** 0.5 * noise(), level)
        return EditResult(backbone.decode(z), z, settings)

    def match(
        self, latents: Tensor, timestep: int, embedding: Tensor, wanted: Sequence[Tensor], lr: float
    ) -> tuple[Tensor, list[float]]:
        """The optimisation of one step.

        Args:
            latents: (1, c, f, h, w).
            embedding: (1, tokens, d) of the target prompt; guidance plays no part.
            wanted: the source's averaged features.
            lr: Adam's learning rate.

        Returns:
            The latents, and the loss before each iteration.
        """
        z = latents.clone()
        adam = torch.optim.Adam([z], lr=lr)
        losses = []
        for _ in range(self.settings.iterations):
            loss, z.grad = self.loss_and_gradient(z, timestep, embedding, wanted)
            adam.step()
            losses.append(loss.item())
        return z, losses

    def loss_and_gradient(
        self, latents: Tensor, timestep: int, embedding: Tensor, wanted: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The sum of the modules' `difference_loss`, and its gradient at `latents`, detached."""
        latents = latents.detach().requires_grad_()
        with torch.enable_grad():
            features = self.backbone.averaged_features(latents, timestep, embedding)
            pairs = zip(wanted, features, strict=True)
            loss = torch.stack([difference_loss(*pair) for pair in pairs]).sum()
            (gradient,) = torch.autograd.grad(LOSS_SCALE * loss, latents)
        return loss.detach(), gradient / LOSS_SCALE


def difference_loss(source: Tensor, target: Tensor) -> Tensor:
    """How differently features (f, c) change between frames: 1 − cosine, averaged over all pairs.

    The pairs of a frame with itself count as published, 1 each: the loss is 1 / f at best.
    """
    source_changes, target_changes = (x[None] - x[:, None] for x in (source, target))
    return 1 - torch.cosine_similarity(target_changes, source_changes, dim=-1).mean()


def replace_high_frequencies(latents: Tensor, noise: Tensor, factor: int) -> Tensor:
    """Low frequencies of `latents`, high ones of `noise`, both (1, c, f, h, w)."""
    return _low_frequencies(latents, factor) + noise - _low_frequencies(noise, factor)


def _low_frequencies(latents: Tensor, factor: int) -> Tensor:
    """What is left of each frame made smaller, and larger again, by antialiased interpolation."""
    frames = latents[0].transpose(0, 1)
    height, width = frames.shape[-2:]
    for size in ((height // factor, width // factor), (height, width)):
        frames = F.interpolate(
            frames, size=size, mode="bilinear", align_corners=True, antialias=True
        )
    return frames.transpose(0, 1)[None]
