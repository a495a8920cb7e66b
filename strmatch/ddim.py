"""Deterministic DDIM (Song et al. 2021, η = 0) in both directions.

A trajectory has noise levels 0 (clean) to T (noisiest). A denoiser is any callable
`epsilon(latents, timestep) -> latents-shaped ε`, so that an analytic one serves as well as a UNet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Schedule:
    """The noise levels 0 … T of a trajectory."""

    alphas: tuple[float, ...]
    """ᾱ of each level, T + 1 values, falling."""
    timesteps: tuple[int, ...]
    """The model's label of each level, T + 1 values, rising from 0."""

    @property
    def num_steps(self) -> int:
        return len(self.timesteps) - 1

    @classmethod
    def from_scheduler(cls, scheduler: Any, num_inference_steps: int) -> "Schedule":
        """The levels that a diffusers `DDIMScheduler` walks in `num_inference_steps` steps."""
        scheduler.set_timesteps(num_inference_steps)
        timesteps = sorted(int(t) for t in scheduler.timesteps)
        alphas = [float(scheduler.final_alpha_cumprod)]
        alphas += [float(scheduler.alphas_cumprod[t]) for t in timesteps]
        return cls(alphas=tuple(alphas), timesteps=(0, *timesteps))


def to_epsilon(output: Tensor, latents: Tensor, alpha: float, prediction_type: str) -> Tensor:
    """A model's raw output as the noise ε that it implies at noise level ᾱ = `alpha`.

    For v-prediction (Salimans & Ho 2022), v = √ᾱ ε − √(1−ᾱ) x₀ gives ε = √ᾱ v + √(1−ᾱ) z.
    """
    if prediction_type == "epsilon":
        return output
    if prediction_type == "v_prediction":
        return alpha**0.5 * output + (1 - alpha) ** 0.5 * latents
    raise ValueError(
        f"prediction_type must be 'epsilon' or 'v_prediction', got {prediction_type!r}"
    )


def ddim_step(latents: Tensor, epsilon: Tensor, alpha: float, alpha_next: float) -> Tensor:
    """Φ: move `latents` from noise level `alpha` to `alpha_next`, noisier or cleaner alike."""
    clean = (latents - (1 - alpha) ** 0.5 * epsilon) / alpha**0.5
    return alpha_next**0.5 * clean + (1 - alpha_next) ** 0.5 * epsilon


def add_noise(latents: Tensor, noise: Tensor, alpha: float) -> Tensor:
    """Clean latents at noise level ᾱ = `alpha`, with `noise` of their shape."""
    return alpha**0.5 * latents + (1 - alpha) ** 0.5 * noise


def noise_like(latents: Tensor, seed: int) -> Tensor:
    """Standard normal noise of their shape, the same in every precision and on every device."""
    return torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed)).to(latents)


@torch.no_grad()
def invert(
    epsilon: Denoiser,
    latents: Tensor,
    schedule: Schedule,
    label: str = "next",
    noised_until: int = 0,
) -> Tensor:
    """Walk clean latents up to the noisiest level.

    Args:
        epsilon: the denoiser.
        latents: (…) at level 0.
        label: the timestep given to the denoiser in the step from level k to k + 1: that of
            level k ("current") or of level k + 1 ("next").
        noised_until: levels up to this timestep are the clean latents with noise, always the
            same; those above are walked to from there.

    Returns:
        (T + 1, …): the latents of every level.
    """
    trajectory = [latents]
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
        trajectory.append(latents)
    return torch.stack(trajectory)


@torch.no_grad()
def denoise(epsilon: Denoiser, latents: Tensor, schedule: Schedule) -> Tensor:
    """Walk latents (…) of the noisiest level down to level 0; returns (…)."""
    for level in range(schedule.num_steps, 0, -1):
        noise = epsilon(latents, schedule.timesteps[level])
        latents = ddim_step(latents, noise, schedule.alphas[level], schedule.alphas[level - 1])
    return latents
