"""Deterministic DDIM (Song et al. 2021, η = 0) in both directions.

A trajectory has noise levels 0 (clean) to T (noisiest). A denoiser is any callable
`epsilon(latents, timestep)` that returns ε of the latents' shape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from strmatch.finite import StepCheck

Denoiser = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Schedule:
    """The noise levels 0 … T of a trajectory."""

    alphas: tuple[float, ...]
    """ᾱ of each noise level, T + 1 values, decreasing."""
    timesteps: tuple[int, ...]
    """Timestep label of each noise level, T + 1 values, increasing from 0."""

    @property
    def num_steps(self) -> int:
        return len(self.timesteps) - 1

    @classmethod
    def from_scheduler(cls, scheduler: Any, num_inference_steps: int) -> "Schedule":
        """The noise levels of a diffusers `DDIMScheduler` with `num_inference_steps` steps."""
        scheduler.set_timesteps(num_inference_steps)
        timesteps = sorted(int(t) for t in scheduler.timesteps)
        alphas = [float(scheduler.final_alpha_cumprod)]
        alphas += [float(scheduler.alphas_cumprod[t]) for t in timesteps]
        return cls(alphas=tuple(alphas), timesteps=(0, *timesteps))


def to_epsilon(output: Tensor, latents: Tensor, alpha: float, prediction_type: str) -> Tensor:
    """Convert a model's raw output to the noise ε at noise level ᾱ = `alpha`.

    For v-prediction (Salimans & Ho 2022), v = √ᾱ ε − √(1−ᾱ) x₀ gives ε = √ᾱ v + √(1−ᾱ) z.

    Args:
        output, latents: tensors of one shape.
        prediction_type: "epsilon" or "v_prediction".

    Raises:
        ValueError: unknown prediction type.
    """
    if prediction_type == "epsilon":
        return output
    if prediction_type == "v_prediction":
        return alpha**0.5 * output + (1 - alpha) ** 0.5 * latents
    raise ValueError(
        f"prediction_type must be 'epsilon' or 'v_prediction', got {prediction_type!r}"
    )


def ddim_step(latents: Tensor, epsilon: Tensor, alpha: float, alpha_next: float) -> Tensor:
    """Φ of Algorithm 1: move `latents` from noise level `alpha` to a noisier or cleaner one.

    Eq. 12 of Song et al. (2021, arXiv 2010.02502) with σ = 0.

    Args:
        latents, epsilon: tensors of one shape.
        alpha, alpha_next: ᾱ of the current and of the next noise level.
    """
    clean = (latents - (1 - alpha) ** 0.5 * epsilon) / alpha**0.5
    return alpha_next**0.5 * clean + (1 - alpha_next) ** 0.5 * epsilon


def add_noise(latents: Tensor, noise: Tensor, alpha: float) -> Tensor:
    """Diffuse clean latents to noise level ᾱ = `alpha` with `noise` of the same shape."""
    return alpha**0.5 * latents + (1 - alpha) ** 0.5 * noise


def noise_like(latents: Tensor, seed: int) -> Tensor:
    """Standard normal noise of the latents' shape, equal in every precision and on every device."""
    return torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed)).to(latents)


@torch.no_grad()
def invert(
    epsilon: Denoiser,
    latents: Tensor,
    schedule: Schedule,
    label: str = "next",
    noised_until: int = 0,
) -> Tensor:
    """Invert clean latents to the noisiest level by DDIM steps.

    Args:
        epsilon: the denoiser.
        latents: (…) at level 0.
        label: timestep passed to the denoiser in the step from level k to k + 1: that of level k
            ("current") or of level k + 1 ("next").
        noised_until: levels up to this timestep are the clean latents with added noise (fixed
            seed). The inversion starts from the last of them.

    Returns:
        (T + 1, …): the latents of every level.

    Raises:
        NotFinite: the latents of a step are NaN or infinite.
    """
    trajectory, check = [latents], StepCheck("inversion")
    noised = sum(timestep <= noised_until for timestep in schedule.timesteps[1:])
    if noised:
        noise = noise_like(latents, seed=0)
        trajectory += [
            add_noise(latents, noise, alpha) for alpha in schedule.alphas[1 : noised + 1]
        ]
        latents = trajectory[-1]
    for level in range(noised, schedule.num_steps):
        timestep = schedule.timesteps[level + (label == "next")]
        noise = epsilon(latents, timestep)
        latents = ddim_step(latents, noise, schedule.alphas[level], schedule.alphas[level + 1])
        check.record(level, timestep, latents=latents)
        trajectory.append(latents)
    check.finish()
    return torch.stack(trajectory)


@torch.no_grad()
def denoise(epsilon: Denoiser, latents: Tensor, schedule: Schedule) -> Tensor:
    """Denoise latents (…) of the noisiest level to level 0 by DDIM steps.

    Raises:
        NotFinite: the latents of a step are NaN or infinite.
    """
    check = StepCheck("denoising")
    for step, level in enumerate(range(schedule.num_steps, 0, -1)):
        timestep = schedule.timesteps[level]
        noise = epsilon(latents, timestep)
        latents = ddim_step(latents, noise, schedule.alphas[level], schedule.alphas[level - 1])
        check.record(step, timestep, latents=latents)
    check.finish()
    return latents
