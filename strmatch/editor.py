"""STR-Match, Algorithm 1 of arXiv 2506.22868: invert a clip, then edit it."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.ddim import Schedule, ddim_step, invert
from strmatch.fresh_start import freshen
from strmatch.guidance import guided_epsilon
from strmatch.masks import blend, latent_mask, mask_tensor
from strmatch.matching import Matcher
from strmatch.settings import EditSettings

Callback = Callable[[dict[str, Any]], None]
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Inversion:
    """A clip's way into noise. Serves any number of edits."""

    latents: Tensor
    """(T + 1, 1, c, f, h, w): z^src of every noise level, clean first."""
    source_prompt: str
    schedule: Schedule
    label: str
    """The `inversion_label` it was made with."""
    noised_until: int
    """Likewise."""
    features: dict[Hashable, list[Tensor]] = field(default_factory=dict, repr=False)
    """Ω^src by what it depends on, its noise level first: recorded on the way, or added by the
    first edit that needs it, up to the editor's `feature_bytes`."""


@dataclass(frozen=True)
class EditResult(Generic[Settings]):
    frames: np.ndarray
    """uint8 (f, H, W, 3), RGB."""
    latents: Tensor
    """(1, c, f, h, w): z_0^tgt."""
    settings: Settings
    """What the edit was made with, overrides included."""


class STRMatch:
    """Edits clips with a frozen text-to-video backbone.

    Args:
        backbone: see `strmatch.load_backbone`.
        settings: the defaults of every edit; those of the backbone's preset if not given.
        memory: "lean" keeps little for the gradient, and no Ω^src, and computes them again: the
            same edits, with less memory and in more time.
        feature_bytes: of an inversion's Ω^src that are kept for its edits, where the latents are;
            those beyond are computed again in every edit. At LaVie's 16×320×512 and 50 steps all
            have 7 GB. Default: 8 GB, or none if lean.
    """

    def __init__(
        self,
        backbone: Backbone,
        settings: EditSettings | None = None,
        *,
        memory: Literal["normal", "lean"] = "normal",
        feature_bytes: int | None = None,
    ) -> None:
        self.backbone = backbone
        self.settings = settings or backbone.settings
        self.lean = memory == "lean"
        if feature_bytes is None:
            feature_bytes = 0 if self.lean else 8 << 30
        self.feature_bytes = feature_bytes

    @torch.no_grad()
    def invert(self, frames: np.ndarray, source_prompt: str, **overrides: Any) -> Inversion:
        """Part 1 of Algorithm 1: walk the clip into noise with its own prompt, unguided.

        Args:
            frames: uint8 (f, H, W, 3), RGB.
            source_prompt: what the clip shows.
            **overrides: fields of `EditSettings`. Those of the scores say which are recorded.

        Raises:
            ValueError: frames of another shape or dtype, or of a size the backbone cannot take.
        """
        settings = replace(self.settings, **overrides)
        return self._invert(self.backbone.encode(frames), source_prompt, settings)

    @torch.no_grad()
    def edit(
        self,
        inversion: Inversion,
        target_prompt: str,
        *,
        mask: np.ndarray | None = None,
        callback: Callback | None = None,
        **overrides: Any,
    ) -> EditResult[EditSettings]:
        """Part 2 of Algorithm 1: denoise towards the target prompt, held by the STR score.

        Args:
            inversion: from `invert`; the settings it was made with hold unless overridden, in
                which case the clip is inverted again.
            target_prompt: what the clip shall show.
            mask: bool (f, H, W), True where editing is wanted; None: everywhere.
            callback: called after each step with a dict of step (from 0), timestep, loss and
                grad_norm (at the latents before the SGD step) and latents (after blending).
                Without a callback, steps that only denoise compute neither loss nor gradient.
            **overrides: fields of `EditSettings`.

        Raises:
            ValueError: the mask does not have the clip's frames and size.
        """
        as_inverted: dict[str, Any] = {
            "num_inference_steps": inversion.schedule.num_steps,
            "inversion_label": inversion.label,
            "noised_until": inversion.noised_until,
        }
        settings = replace(self.settings, **as_inverted | overrides)
        if any(getattr(settings, name) != value for name, value in as_inverted.items()):
            inversion = self._invert(inversion.latents[0], inversion.source_prompt, settings)
        alphas, timesteps = inversion.schedule.alphas, inversion.schedule.timesteps
        z_source = inversion.latents
        editable = None
        if mask is not None:
            height, width = z_source.shape[-2:]
            pixels = mask_tensor(self.backbone, mask, z_source[0])
            editable = latent_mask(pixels, height, width, settings.mask_dilation)

        negative_prompt = settings.negative_prompt
        if negative_prompt is None:
            negative_prompt = inversion.source_prompt
        prompts = (inversion.source_prompt, target_prompt, negative_prompt)
        embeddings = {prompt: self.backbone.embed(prompt) for prompt in set(prompts)}
        source, target, unconditional = (embeddings[prompt] for prompt in prompts)
        scored = [unconditional, target] if settings.scored_halves == "both" else [target]
        matcher = Matcher(self.backbone, settings, self.lean)

        z = z_source[-1]
        if settings.fresh_share > 0:
            z = freshen(z, settings.fresh_share)
        for step, level in enumerate(range(inversion.schedule.num_steps, 0, -1)):
            t = timesteps[level]
            lam = settings.lam if level > settings.unmatched_steps else 0.0
            if lam > 0 or callback:
                source_features = self._source_features(matcher, inversion, level, source)
                loss, gradient = matcher.loss_and_gradient(z, t, scored, source_features)
                z = z - lam * gradient
            scale = settings.guidance_scale if level > settings.unguided_steps else 1.0
            epsilon = guided_epsilon(self.backbone, z, t, unconditional, target, scale)
            z = ddim_step(z, epsilon, alphas[level], alphas[level - 1])
            if editable is not None:
                z = blend(z, z_source[level - 1], editable)
            if callback:  # else nothing is read: a GPU need not be waited for
                callback(
                    {
                        "step": step,
                        "timestep": t,
                        "loss": loss.item(),
                        "grad_norm": gradient.norm().item(),
                        "latents": z,
                    }
                )
        return EditResult(self.backbone.decode(z), z, settings)

    def _invert(self, latents: Tensor, source_prompt: str, settings: EditSettings) -> Inversion:
        embedding = self.backbone.embed(source_prompt)
        schedule = Schedule.from_scheduler(self.backbone.scheduler, settings.num_inference_steps)
        matcher = Matcher(self.backbone, settings)
        features: dict[Hashable, list[Tensor]] = {}
        last_unmatched = schedule.timesteps[settings.unmatched_steps]

        def epsilon(z: Tensor, t: int) -> Tensor:
            # Labelled by the level that it leaves, a step passes the UNet as Ω^src asks.
            free = settings.inversion_label == "current" and t > last_unmatched
            if not (free and self._has_room(features)):
                return self.backbone.epsilon(z, t, embedding)
            noise, features[t, matcher.kind] = matcher.epsilon_and_features(z, t, embedding)
            return noise

        trajectory = invert(
            epsilon,
            latents,
            schedule,
            settings.inversion_label,
            settings.noised_until,
        )
        return Inversion(
            trajectory,
            source_prompt,
            schedule,
            settings.inversion_label,
            settings.noised_until,
            features,
        )

    def _source_features(
        self, matcher: Matcher, inversion: Inversion, level: int, embedding: Tensor
    ) -> list[Tensor]:
        t, kept = inversion.schedule.timesteps[level], inversion.features
        features = kept.get((t, matcher.kind))
        if features is None:
            features = matcher.features(inversion.latents[level], t, embedding)
            if self._has_room(kept):
                kept[t, matcher.kind] = features
        return features

    def _has_room(self, features: dict[Hashable, list[Tensor]]) -> bool:
        kept = [tensor.nbytes for level in features.values() for tensor in level]
        one_more = sum(kept) * (len(features) + 1) / max(len(features), 1)
        return one_more < self.feature_bytes
