"""The inversion shared by the baselines."""

import numpy as np
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.baselines.settings import InversionSettings
from strmatch.editor import Inversion
from strmatch.sampling import solver
from strmatch.sampling.fusion import clip_windows, fuse, of_window


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
    windows = clip_windows(latents, backbone.num_frames, settings)

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
