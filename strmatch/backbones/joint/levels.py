"""Noise levels of flow matching and of zero terminal SNR as those of DDIM.

Flow matching mixes z = (1 − σ) x₀ + σ ε and predicts v = ε − x₀. Divided by c = √((1 − σ)² + σ²),
z has the form of DDIM, √ᾱ x₀ + √(1 − ᾱ) ε, with ᾱ = (1 − σ)² / c². A step of DDIM and an Euler step
along v keep the same x₀ and ε, so both give the same next level. Editors therefore need no other
solver: latents between the steps are those of DDIM, and the model gets them times c.
"""

from typing import Any

import torch
from torch import Tensor

from strmatch.sampling.ddim import to_epsilon

SMALLEST = 1e-6
"""Smallest ᾱ. At 0, x₀ could not be told from ε."""


class Levels:
    """A scheduler of diffusers as `strmatch.sampling.ddim.Schedule` reads it.

    Args:
        scheduler: a DDIMScheduler or CogVideoXDDIMScheduler, or one of flow matching:
            FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler with flow sigmas.

    Raises:
        ValueError: the scheduler belongs to neither.
    """

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.config = scheduler.config
        self.flow = bool(
            type(scheduler).__name__ == "FlowMatchEulerDiscreteScheduler"
            or self.config.get("use_flow_sigmas")
        )
        if self.flow:
            count = self.config.num_train_timesteps
            sigmas = torch.arange(count, dtype=torch.float64) / count
            alphas = (1 - sigmas).square() / ((1 - sigmas).square() + sigmas.square())
            self.final_alpha_cumprod = 1.0
        elif hasattr(scheduler, "final_alpha_cumprod"):
            alphas = scheduler.alphas_cumprod.double()
            self.final_alpha_cumprod = float(scheduler.final_alpha_cumprod)
        else:
            raise ValueError(
                "the scheduler must be one of flow matching or DDIM, got "
                f"{type(scheduler).__name__} (use_flow_sigmas is not true)"
            )
        self.alphas_cumprod = alphas.clamp(min=SMALLEST)

    def set_timesteps(self, num_inference_steps: int) -> None:
        """Choose the timesteps of the steps, which are rounded to whole ones."""
        self.scheduler.set_timesteps(num_inference_steps)

    @property
    def timesteps(self) -> Tensor:
        """Timesteps from the noisiest, long (steps,)."""
        last = len(self.alphas_cumprod) - 1
        return torch.as_tensor(self.scheduler.timesteps).round().long().clamp(1, last)

    def input_scale(self, timestep: int) -> float:
        """c, by which the model's latents differ from those of DDIM."""
        sigma = timestep / len(self.alphas_cumprod)
        return float(((1 - sigma) ** 2 + sigma**2) ** 0.5) if self.flow else 1.0

    def to_epsilon(self, output: Tensor, latents: Tensor, timestep: int) -> Tensor:
        """The noise ε from the model's output and the latents of DDIM, tensors of one shape."""
        if self.flow:
            sigma = timestep / len(self.alphas_cumprod)
            return self.input_scale(timestep) * latents + (1 - sigma) * output
        alpha = float(self.alphas_cumprod[timestep])
        return to_epsilon(output, latents, alpha, self.config.prediction_type)
