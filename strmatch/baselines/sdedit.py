"""SDEdit (Meng et al. 2022, arXiv 2108.01073) on a text-to-video backbone."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.baselines.base import SamplingSettings, settings_for
from strmatch.ddim import Schedule, add_noise, ddim_step, noise_like
from strmatch.editor import EditResult
from strmatch.guidance import guided_epsilon
from strmatch.masks import blend, latent_mask, mask_tensor


@dataclass(frozen=True, kw_only=True)
class SDEditSettings(SamplingSettings):
    strength: float = 0.6
    """How far into noise the clip is brought, as a share of the steps, from 0, the clip itself,
    to 1, noise at the noisiest level. The paper finds 0.3 to 0.6 of the time good for images."""

    mask_dilation: int = 3
    """Side in latent pixels of the square that dilates the mask, odd; 1: none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength must be from 0 to 1, got {self.strength}")
        if self.mask_dilation < 1 or self.mask_dilation % 2 == 0:
            raise ValueError(f"mask_dilation must be odd and ≥ 1, got {self.mask_dilation}")


class SDEdit:
    """Edits a clip by adding noise to it and taking the noise away under the target prompt.

    Departures from the paper, which solves the reverse SDE of unconditional image models: the
    sampler is DDIM's, without noise of its own; what the paper's painted guide shows, the target
    prompt says, by guidance; there is one pass, where the paper repeats some edits.

    Args:
        backbone: see `strmatch.load_backbone`.
        settings: default: those of the paper, and of the backbone where they are its own.
    """

    def __init__(self, backbone: Backbone, settings: SDEditSettings | None = None) -> None:
        self.backbone = backbone
        self.settings = settings or settings_for(SDEditSettings, backbone.settings)

    @torch.no_grad()
    def invert(self, frames: np.ndarray, source_prompt: str) -> Tensor:
        """What serves any number of edits: the clip's latents, (1, c, f, h, w).

        Args:
            frames: uint8 (f, H, W, 3), RGB.
            source_prompt: plays no part.

        Raises:
            ValueError: frames of another shape or dtype, or of a size the backbone cannot take.
        """
        return self.backbone.encode(frames)

    @torch.no_grad()
    def edit(
        self,
        inversion: Tensor,
        target_prompt: str,
        *,
        mask: np.ndarray | None = None,
        seed: int = 0,
    ) -> EditResult[SDEditSettings]:
        """Denoise towards the target prompt from `strength` on.

        Args:
            inversion: from `invert`.
            target_prompt: what the clip shall show.
            mask: bool (f, H, W), True where editing is wanted; None: everywhere. Outside, every
                level's latents are the clip's own with the same noise (Eq. 6 of STR-Match).
            seed: of the noise.

        Raises:
            ValueError: the mask does not have the clip's frames and size.
        """
        settings, backbone = self.settings, self.backbone
        schedule = Schedule.from_scheduler(backbone.scheduler, settings.num_inference_steps)
        alphas = schedule.alphas
        noise = noise_like(inversion, seed)
        editable = None
        if mask is not None:
            height, width = inversion.shape[-2:]
            pixels = mask_tensor(backbone, mask, inversion)
            editable = latent_mask(pixels, height, width, settings.mask_dilation)

        def source(level: int) -> Tensor:
            return add_noise(inversion, noise, alphas[level]) if level else inversion

        target = backbone.embed(target_prompt)
        unconditional = backbone.embed(settings.negative_prompt)
        first = round(settings.strength * schedule.num_steps)
        z = source(first)
        for level in range(first, 0, -1):
            epsilon = guided_epsilon(
                backbone,
                z,
                schedule.timesteps[level],
                unconditional,
                target,
                settings.guidance_scale,
            )
            z = ddim_step(z, epsilon, alphas[level], alphas[level - 1])
            if editable is not None:
                z = blend(z, source(level - 1), editable)
        return EditResult(backbone.decode(z), z, settings)
