"""Noise levels of a sampler, and the deterministic step Φ between two of them."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "flow_prediction"]
"""What a model predicts of latents z = α x₀ + σ ε, by the names of diffusers: ε itself,
v = α ε − σ x₀ (Salimans & Ho 2022, arXiv 2202.00512), or the velocity ε − x₀ of flow matching
(Lipman et al. 2023, arXiv 2210.02747)."""


@dataclass(frozen=True)
class Schedule:
    """The noise levels 0 (clean) … T (noisiest) of a trajectory: z_k = α_k x₀ + σ_k ε."""

    alphas: tuple[float, ...]
    """α_k, T + 1 values, decreasing. The last may be 0 unless the model predicts ε."""
    sigmas: tuple[float, ...]
    """σ_k, T + 1 values, increasing. α² + σ² = 1 for diffusion, α + σ = 1 for flow matching."""
    timesteps: tuple[float, ...]
    """Timestep label of each noise level, T + 1 values, increasing from 0."""
    prediction: Prediction = "epsilon"
    """What the model predicts."""

    @property
    def num_steps(self) -> int:
        return len(self.timesteps) - 1

    @classmethod
    def from_scheduler(cls, scheduler: Any, num_inference_steps: int) -> "Schedule":
        """The noise levels of a scheduler of diffusers with `num_inference_steps` steps.

        Only the levels are taken: the steps are those of `step`, also where the scheduler's own
        are of higher order (UniPC).

        Args:
            scheduler: `DDIMScheduler` or `CogVideoXDDIMScheduler`; or, for flow matching,
                `FlowMatchEulerDiscreteScheduler` or another with `use_flow_sigmas` and
                `prediction_type` "flow_prediction" (`UniPCMultistepScheduler`).
            num_inference_steps: T.

        Raises:
            ValueError: the scheduler is of another kind, shifts its levels by the size of the
                latents or inverts them, or predicts ε of a level without signal (α = 0).
        """
        config = scheduler.config
        kind = config.get("prediction_type", "flow_prediction")
        unsupported = ("use_dynamic_shifting", "invert_sigmas", "stochastic_sampling")
        for setting in unsupported:
            if config.get(setting):
                raise ValueError(f"{type(scheduler).__name__} with {setting} is not supported")
        flow = hasattr(scheduler, "sigmas") and kind == "flow_prediction"
        diffusion = hasattr(scheduler, "final_alpha_cumprod") and kind in (
            "epsilon",
            "v_prediction",
        )
        if not (flow or diffusion):
            raise ValueError(
                f"{type(scheduler).__name__} with prediction_type {kind!r} is not supported: use "
                "DDIM with 'epsilon' or 'v_prediction', or flow matching"
            )
        scheduler.set_timesteps(num_inference_steps)
        timesteps = tuple(sorted(scheduler.timesteps.tolist()))
        if flow:
            sigmas = tuple(reversed(scheduler.sigmas.tolist()))
            alphas = tuple(1 - sigma for sigma in sigmas)
            return cls(alphas, sigmas, (0, *timesteps), "flow_prediction")
        kept = [float(scheduler.final_alpha_cumprod)]
        kept += [float(scheduler.alphas_cumprod[t]) for t in timesteps]
        if kind == "epsilon" and kept[-1] == 0:
            raise ValueError(
                f"{type(scheduler).__name__}: the noisiest level has no signal "
                "(rescale_betas_zero_snr), which needs prediction_type 'v_prediction'"
            )
        alphas = tuple(alpha**0.5 for alpha in kept)
        sigmas = tuple((1 - alpha) ** 0.5 for alpha in kept)
        return cls(alphas, sigmas, (0, *timesteps), kind)

    def step(
        self,
        latents: Tensor,
        prediction: Tensor,
        start: int,
        end: int,
        predicted_at: int | None = None,
    ) -> Tensor:
        """Φ of Algorithm 1: move latents to a noisier or cleaner level, z' = α' x₀ + σ' ε.

        For ε and v, the step is Eq. 12 of Song et al. (2021, arXiv 2010.02502) with σ = 0. For a
        velocity, it is Euler's, z' = z + (σ' − σ) v. The step is linear in latents and prediction.
        The step from `end` to `start` with the same prediction is its inverse.

        Args:
            latents, prediction: tensors of one shape.
            start, end: the current and the next noise level.
            predicted_at: the noise level of the prediction's timestep label. None: `start`.
        """
        clean, noise = self._split(latents, prediction, start, predicted_at)
        return self.alphas[end] * clean + self.sigmas[end] * noise

    def _split(
        self, latents: Tensor, prediction: Tensor, level: int, predicted_at: int | None
    ) -> tuple[Tensor, Tensor]:
        """x₀ and ε of latents at a noise level."""
        alpha, sigma = self.alphas[level], self.sigmas[level]
        if self.prediction == "epsilon":
            return (latents - sigma * prediction) / alpha, prediction
        if self.prediction == "flow_prediction":
            return latents - sigma * prediction, latents + alpha * prediction
        at = level if predicted_at is None else predicted_at
        alpha_at, sigma_at = self.alphas[at], self.sigmas[at]
        share = alpha * alpha_at + sigma * sigma_at  # 1 at the same level
        clean = (alpha_at * latents - sigma * prediction) / share
        return clean, (alpha * prediction + sigma_at * latents) / share

    def noised(self, latents: Tensor, noise: Tensor, level: int) -> Tensor:
        """Diffuse clean latents to a noise level with `noise` of the same shape."""
        return self.alphas[level] * latents + self.sigmas[level] * noise

    def renoised(self, latents: Tensor, noise: Tensor, level: int) -> Tensor:
        """Diffuse latents of the level before to noise level `level` with fresh `noise`."""
        kept = self.alphas[level] / self.alphas[level - 1]
        variance = self.sigmas[level] ** 2 - (kept * self.sigmas[level - 1]) ** 2
        return kept * latents + variance**0.5 * noise


def to_epsilon(output: Tensor, latents: Tensor, alpha: float, prediction_type: str) -> Tensor:
    """Convert a UNet's raw output to the noise ε at the noise level ᾱ = `alpha`.

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


def noise_like(latents: Tensor, seed: int) -> Tensor:
    """Standard normal noise of the latents' shape, equal in every precision and on every device."""
    return torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed)).to(latents)
