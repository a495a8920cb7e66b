"""A literal implementation of Algorithm 1, the reference of the editor's results and cost.

Weights are frozen, and attention is fused wherever its maps are not needed. Every pass runs the
whole UNet, and scored passes run both halves of the guidance batch. Maps keep all heads until the
score. The score sums a copy for every pair of neighbouring frames. With label "current", which
Algorithm 1 prints, Ω_src is kept from the inversion. With label "next", which is the default of
`EditSettings`, Ω_src takes a pass per level.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from strmatch.attention import record_attention
from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.sampling.schedule import Schedule
from strmatch.sampling.solver import invert
from strmatch.settings import EditSettings

Maps = list[tuple[Tensor, Tensor]]
"""S (b, f, heads, n, n) and T (b, n, heads, f, f) of each block."""


@dataclass(frozen=True)
class PlainInversion:
    latents: Tensor
    """(T + 1, 1, c, f, h, w)."""
    scores: list[list[Tensor]]
    """Ω_src of levels 1 to T, each a list of (f, n, n), one per block."""
    source: Tensor
    schedule: Schedule


class AsWritten:
    """The plain form of `STRMatch`, for its default objective.

    Args:
        backbone: with a `LaVieUNet`.
        settings: must average heads, take cosines by row and sum them, score the conditional half,
            and match and guide every step. Other fields are free.
    """

    def __init__(self, backbone: VideoDiffusion, settings: EditSettings) -> None:
        self.backbone = backbone
        self.settings = settings
        levels = settings.scored_levels or range(1, backbone.unet.num_levels)
        self.blocks: dict[str, Any] = {}
        for level in levels:
            self.blocks |= backbone.unet.attention_blocks(level)

    @torch.no_grad()
    def invert(self, frames: np.ndarray, source_prompt: str) -> PlainInversion:
        """Part 1 of Algorithm 1: inversion."""
        schedule = self.backbone.schedule(self.settings.num_inference_steps)
        source = self.backbone.embed(source_prompt)
        recorded: dict[float, list[Tensor]] = {}

        def epsilon(z: Tensor, t: float) -> Tensor:
            noise, maps = self._recorded(z, t, source)
            recorded[t] = self._score(maps, -1)
            return noise

        def predict(z: Tensor, t: float) -> Tensor:
            return self.backbone.predict(z, t, source)

        label = self.settings.inversion_label
        latents = invert(
            epsilon if label == "current" else predict,
            self.backbone.encode(frames),
            schedule,
            label,
            self.settings.noised_until,
        )
        for level, t in enumerate(schedule.timesteps):
            if level and t not in recorded:
                epsilon(latents[level], t)
        scores = [recorded[t] for t in schedule.timesteps[1:]]
        return PlainInversion(latents, scores, source, schedule)

    @torch.no_grad()
    def edit(self, inversion: PlainInversion, target_prompt: str) -> Tensor:
        """Part 2 of Algorithm 1: returns z_0^tgt (1, c, f, h, w)."""
        both = torch.cat([self._unconditional(inversion), self.backbone.embed(target_prompt)])
        schedule, z = inversion.schedule, inversion.latents[-1]
        for level in range(schedule.num_steps, 0, -1):
            t = schedule.timesteps[level]
            _, gradient = self.score_and_gradient(z, t, both, inversion.scores[level - 1])
            z = z - self.settings.lam * gradient
            noise = self.guided(z, t, both)
            z = schedule.step(z, noise, level, level - 1)
        return z

    def score_and_gradient(
        self, z: Tensor, t: float, both: Tensor, source_score: list[Tensor]
    ) -> tuple[list[Tensor], Tensor]:
        """Returns Ω_tgt and the gradient of the loss at z (1, c, f, h, w)."""
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            _, maps = self._recorded(torch.cat([z, z]), t, both)
            score = self._score(maps, 1)
            loss = z.new_zeros(())
            for a, b in zip(source_score, score, strict=True):
                norms = a.square().sum(-1).sqrt() * b.square().sum(-1).sqrt()
                loss = loss - ((a * b).sum(-1) / norms).sum()
            (gradient,) = torch.autograd.grad(loss, z)
        return [omega.detach() for omega in score], gradient

    def guided(self, z: Tensor, t: float, both: Tensor) -> Tensor:
        """Returns the noise prediction by classifier-free guidance."""
        free, conditional = self.backbone.predict(torch.cat([z, z]), t, both).chunk(2)
        return free + self.settings.guidance_scale * (conditional - free)

    def _unconditional(self, inversion: PlainInversion) -> Tensor:
        negative = self.settings.negative_prompt
        return inversion.source if negative is None else self.backbone.embed(negative)

    def _recorded(self, z: Tensor, t: float, text: Tensor) -> tuple[Tensor, Maps]:
        spatial = {name: block.attn1 for name, block in self.blocks.items()}
        temporal = {f"{name} T": block.attn_temp for name, block in self.blocks.items()}
        with record_attention(spatial | temporal) as maps:
            noise = self.backbone.predict(z, t, text)
        clips = len(text)
        return noise, [
            (
                maps[name].unflatten(0, (clips, -1)).to(z.dtype),
                maps[f"{name} T"].unflatten(0, (clips, -1)).to(z.dtype),
            )
            for name in self.blocks
        ]

    def _score(self, maps: Maps, clip: int) -> list[Tensor]:
        """Returns Ω (f, n, n) of each block: Eq. 2 to 4 with literal sums."""
        scores = []
        for spatial, temporal in maps:
            s, t = spatial[clip].mean(1), temporal[clip].mean(1)
            omegas = []
            for i in range(len(s)):
                omega = torch.zeros_like(s[i])
                for j in range(len(s)):
                    if 1 <= abs(i - j) <= self.settings.radius:
                        omega = omega + t[:, i, j, None] * s[j] + s[i] * t[None, :, i, j]
                        omega = omega + t[None, :, j, i] * s[i].T + s[j].T * t[:, j, i, None]
                omegas.append(omega)
            scores.append(torch.stack(omegas))
        return scores
