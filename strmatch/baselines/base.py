"""What the baselines share: a clip's latents, its inversion, and masks of the latents."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.baselines.settings import InversionSettings
from strmatch.editor import Inversion
from strmatch.masks import latent_mask
from strmatch.regions import Region, union_mask
from strmatch.sampling import solver
from strmatch.sampling.fusion import clip_windows, fuse, of_window
from strmatch.validation import checks_arguments


@dataclass(frozen=True)
class EncodedClip:
    """A clip as latents, for editors that do not invert."""

    latents: Tensor
    """(1, c, f, h, w), clean."""
    source_prompt: str
    num_frames: int
    """Number of frames of the clip, to which edits are cut."""


class InversionFree:
    """An editor that starts from the latents of a clip, without an inversion."""

    backbone: Backbone

    @checks_arguments
    @torch.no_grad()
    def invert(self, frames: np.ndarray, source_prompt: str) -> EncodedClip:
        """Encode the clip, which any number of edits may reuse. Nothing is inverted.

        Args:
            frames: uint8 (f, H, W, 3), RGB.
            source_prompt: description of the clip.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: the frames have the wrong shape or dtype, or a size that the backbone does
                not support.
            NotFinite: a latent is NaN or infinite.
        """
        return EncodedClip(self.backbone.encode(frames), source_prompt, len(frames))


def editable_latents(
    regions: Sequence[Region], backbone: Backbone, latents: Tensor, dilation: int
) -> Tensor | None:
    """The dilated union of the masks, bool (1, 1, f, h, w). None if a region is everywhere.

    Args:
        regions, backbone, latents, dilation: see `strmatch.regions.latent_masks`.

    Raises:
        ValueError: a mask does not match the clip's frames and size.
    """
    pixels = union_mask(regions, backbone, latents)
    if pixels is None:
        return None
    frames, height, width = latents.shape[2:]
    return latent_mask(pixels, height, width, dilation, frames)


def invert(
    backbone: Backbone, frames: np.ndarray, prompt: str, settings: InversionSettings
) -> Inversion:
    """Inversion of a clip under one prompt, without guidance, fused over its windows.

    Args:
        backbone: see `strmatch.load_backbone`.
        frames: uint8 (f, H, W, 3), RGB.
        prompt: text condition of every step.
        settings: number of steps, timestep label and noised levels.

    Raises:
        ValueError: the frames have the wrong shape or dtype, or a size that the backbone does not
            support.
        NotFinite: the latents of a step are NaN or infinite.
    """
    schedule = backbone.schedule(settings.num_inference_steps)
    label, noised_until = settings.inversion_label, settings.noised_until
    embedding, latents = backbone.embed(prompt), backbone.encode(frames)
    windows = clip_windows(latents, backbone, settings)

    def predict(z: Tensor, t: float) -> Tensor:
        parts = (of_window(z, window) for window in windows)
        return fuse(windows, (backbone.predict(part, t, embedding) for part in parts))

    refinements = settings.inversion_refinements
    trajectory = solver.invert(predict, latents, schedule, label, noised_until, refinements)
    return Inversion(
        trajectory,
        prompt,
        schedule,
        label,
        noised_until,
        settings.window_stride,
        settings.window_weights,
        refinements=refinements,
    )
