"""The DDIM inversion shared by the baselines."""

import numpy as np
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.baselines.settings import InversionSettings
from strmatch.editor import Inversion
from strmatch.sampling.ddim import Schedule
from strmatch.sampling.ddim import invert as ddim_invert


def invert(
    backbone: Backbone, frames: np.ndarray, prompt: str, settings: InversionSettings
) -> Inversion:
    """DDIM inversion of a clip under one prompt, without guidance.

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
    schedule = Schedule.from_scheduler(backbone.scheduler, settings.num_inference_steps)
    label, noised_until = settings.inversion_label, settings.noised_until
    embedding = backbone.embed(prompt)

    def epsilon(latents: Tensor, timestep: int) -> Tensor:
        return backbone.epsilon(latents, timestep, embedding)

    latents = backbone.encode(frames)
    trajectory = ddim_invert(epsilon, latents, schedule, label, noised_until)
    return Inversion(trajectory, prompt, schedule, label, noised_until)
