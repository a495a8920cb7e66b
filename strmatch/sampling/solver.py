"""Inversion and denoising: the trajectory of a clip through the noise levels of a schedule.

A denoiser is any callable `predict(latents, timestep)` that returns what the schedule's model
predicts, of the latents' shape.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from strmatch.finite import StepCheck
from strmatch.sampling.schedule import Schedule, noise_like

Denoiser = Callable[[Tensor, float], Tensor]


@torch.no_grad()
def invert(
    predict: Denoiser,
    latents: Tensor,
    schedule: Schedule,
    label: str = "next",
    noised_until: int = 0,
    refinements: int = 0,
) -> Tensor:
    """Invert clean latents to the noisiest level.

    Args:
        predict: the denoiser.
        latents: (…) at level 0.
        schedule: the noise levels.
        label: timestep passed to the denoiser in the step from level k to k + 1: that of level k
            ("current") or of level k + 1 ("next").
        noised_until: levels up to this timestep are the clean latents with added noise (fixed
            seed). The inversion starts from the last of them.
        refinements: further predictions per step, each at the result of the one before. They
            approach the latents from which denoising returns exactly (fixed-point iteration, Pan
            et al. 2023, arXiv 2309.04907). Needs the label "next".

    Returns:
        (T + 1, …): the latents of every level.

    Raises:
        NotFinite: the latents of a step are NaN or infinite.
    """
    trajectory, check = [latents], StepCheck("inversion")
    noised = sum(timestep <= noised_until for timestep in schedule.timesteps[1:])
    if noised:
        noise = noise_like(latents, seed=0)
        trajectory += [schedule.noised(latents, noise, level) for level in range(1, noised + 1)]
        latents = trajectory[-1]
    for level in range(noised, schedule.num_steps):
        labelled = level + (label == "next")
        timestep = schedule.timesteps[labelled]
        z = latents
        for _ in range(1 + refinements):
            prediction = predict(z, timestep)
            z = schedule.step(latents, prediction, level, level + 1, predicted_at=labelled)
        latents = z
        check.record(level, timestep, latents=latents)
        trajectory.append(latents)
    check.finish()
    return torch.stack(trajectory)


@torch.no_grad()
def denoise(predict: Denoiser, latents: Tensor, schedule: Schedule) -> Tensor:
    """Denoise latents (…) of the noisiest level to level 0.

    Raises:
        NotFinite: the latents of a step are NaN or infinite.
    """
    check = StepCheck("denoising")
    for step, level in enumerate(range(schedule.num_steps, 0, -1)):
        timestep = schedule.timesteps[level]
        prediction = predict(latents, timestep)
        latents = schedule.step(latents, prediction, level, level - 1)
        check.record(step, timestep, latents=latents)
    check.finish()
    return latents
