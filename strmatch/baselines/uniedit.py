"""UniEdit (Bai et al. 2024, arXiv 2402.13185): appearance edits by injected attention."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.baselines.base import InversionSettings, invert, settings_for
from strmatch.ddim import ddim_step
from strmatch.editor import EditResult, Inversion
from strmatch.guidance import guided_epsilon
from strmatch.masks import latent_mask, mask_tensor


@dataclass(frozen=True, kw_only=True)
class UniEditSettings(InversionSettings):
    injected_share: float | None = None
    """Share of the steps, from the noisiest on, in which the clip's own attention is injected.
    Null: as published, 0.5 with a mask and 0.4 without."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.injected_share is not None and not 0 <= self.injected_share <= 1:
            raise ValueError(f"injected_share must be from 0 to 1, got {self.injected_share}")


class UniEdit:
    """Edits a clip's appearance while a reconstruction of the clip runs beside.

    As published for appearance edits: the clip is inverted under the empty prompt, both branches
    begin at its end, and in the first steps the spatial self-attention of all layers takes queries
    and keys from the reconstruction, with a mask also the values outside it. The motion branch,
    which is for changed motion, is left out, as it is there.

    Departures: the reconstruction does not follow from null-text embeddings (Mokady et al. 2023),
    optimised step by step until it does what the inversion did; it is the inversion's own latents,
    level by level, as Ju et al. (2024, arXiv 2310.01506) put them in that place. So the
    unconditional prompt is the negative prompt itself, not such an embedding. Masks come to the
    size of a layer by max-pooling, not by the nearest pixel: no thin subject is lost on the way.

    Args:
        backbone: see `strmatch.load_backbone`.
        settings: default: those of the paper, and of the backbone where they are its own.
    """

    def __init__(self, backbone: Backbone, settings: UniEditSettings | None = None) -> None:
        self.backbone = backbone
        self.settings = settings or settings_for(UniEditSettings, backbone.settings)

    def invert(self, frames: np.ndarray, source_prompt: str) -> Inversion:
        """Walk the clip into noise under the empty prompt.

        Args:
            frames: uint8 (f, H, W, 3), RGB.
            source_prompt: plays no part, as published.

        Raises:
            ValueError: frames of another shape or dtype, or of a size the backbone cannot take.
        """
        return invert(self.backbone, frames, "", self.settings)

    @torch.no_grad()
    def edit(
        self, inversion: Inversion, target_prompt: str, *, mask: np.ndarray | None = None
    ) -> EditResult[UniEditSettings]:
        """Denoise towards the target prompt with the clip's attention injected.

        Args:
            inversion: from `invert`.
            target_prompt: what the clip shall show.
            mask: bool (f, H, W), True where editing is wanted; None: everywhere.

        Raises:
            ValueError: the mask does not have the clip's frames and size.
        """
        settings, backbone, schedule = self.settings, self.backbone, inversion.schedule
        z_source = inversion.latents
        source = backbone.embed(inversion.source_prompt)
        unconditional = backbone.embed(settings.negative_prompt)
        target = backbone.embed(target_prompt)
        pixels = None if mask is None else mask_tensor(backbone, mask, z_source[0])
        share = settings.injected_share
        if share is None:
            share = 0.4 if mask is None else 0.5
        injected_steps = round(share * schedule.num_steps)
        frames, height, width = z_source.shape[-3:]
        inject = Injection(pixels, (frames, height, width))

        z = z_source[-1]
        for step, level in enumerate(range(schedule.num_steps, 0, -1)):
            t, scale = schedule.timesteps[level], settings.guidance_scale
            if step < injected_steps:
                with backbone.exchange_spatial(inject):
                    epsilons = backbone.epsilon(
                        torch.cat([z_source[level], z, z]),
                        t,
                        torch.cat([source, unconditional, target]),
                    )
                _, epsilon_u, epsilon_c = epsilons.chunk(3)
                epsilon = epsilon_u + scale * (epsilon_c - epsilon_u)
            else:
                epsilon = guided_epsilon(backbone, z, t, unconditional, target, scale)
            z = ddim_step(z, epsilon, schedule.alphas[level], schedule.alphas[level - 1])
        return EditResult(backbone.decode(z), z, settings)


class Injection:
    """A `SpatialExchange` that gives to all clips of a batch what the first attends with.

    Args:
        mask: bool (f, H, W), True where editing is wanted and values are the clip's own; None: they
            are its own everywhere.
        size: f, h and w of the latents.
    """

    def __init__(self, mask: Tensor | None, size: tuple[int, int, int]) -> None:
        self.mask = mask
        self.frames, self.height, self.width = size

    def __call__(
        self, level: int, query: Tensor, key: Tensor, value: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        query, key = self._of_first(query), self._of_first(key)
        if self.mask is not None:
            clips = len(value) // self.frames
            editable = self._editable(self.mask, level).repeat(clips, 1, 1, 1)
            value = torch.where(editable, value, self._of_first(value))
        return query, key, value

    def _of_first(self, x: Tensor) -> Tensor:
        """(b·f, …) → (b·f, …), all clips the first."""
        return x[: self.frames].repeat(len(x) // self.frames, 1, 1, 1)

    def _editable(self, mask: Tensor, level: int) -> Tensor:
        """The mask at a level, (f, 1, h·w, 1)."""
        height, width = (-(-side // 2**level) for side in (self.height, self.width))
        return latent_mask(mask, height, width, dilation=1)[0, 0].flatten(1)[:, None, :, None]
