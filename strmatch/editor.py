"""STR-Match, Algorithm 1 of arXiv 2506.22868: invert a clip, then edit it."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.finite import StepCheck
from strmatch.guidance import guided_prediction
from strmatch.masks import blend
from strmatch.matching import Matcher, map_choice
from strmatch.regions import Region, as_regions, latent_masks, region_texts
from strmatch.sampling.fresh_start import freshen
from strmatch.sampling.fusion import clip_windows, fuse, of_window
from strmatch.sampling.schedule import Schedule
from strmatch.sampling.solver import invert
from strmatch.sampling.windows import Weights, Window
from strmatch.settings import EditSettings
from strmatch.validation import checks_arguments, with_overrides

Callback = Callable[[dict[str, Any]], None]
FEATURE_BYTES = 8 << 30
"""Maximum size in bytes of the Ω^src cached per inversion, on the device of the latents. Features
beyond the limit are recomputed in every edit. LaVie's at 16×320×512 and 50 steps take 7 GB."""


@dataclass(frozen=True)
class Inversion:
    """The trajectory of a clip into noise, which any number of edits may reuse."""

    latents: Tensor
    """(T + 1, 1, c, f, h, w): z^src of every noise level, clean latents first."""
    source_prompt: str
    schedule: Schedule
    label: str
    """The setting `inversion_label` of the inversion."""
    noised_until: int
    """The setting `noised_until` of the inversion."""
    window_stride: int | None = None
    """The setting `window_stride` of the inversion."""
    window_weights: Weights = "triangular"
    """The setting `window_weights` of the inversion."""
    num_frames: int | None = None
    """Number of frames of the clip, to which edits are cut. None: all that the latents hold."""
    refinements: int = 0
    """The setting `inversion_refinements` of the inversion."""
    features: dict[Hashable, list[Tensor]] = field(default_factory=dict, repr=False)
    """Cache of Ω^src by (timestep, window, `Matcher.kind`). Filled during the inversion or by the
    first edit that needs an entry, up to `FEATURE_BYTES`."""


@dataclass(frozen=True)
class EditResult:
    """An edited clip."""

    frames: np.ndarray
    """uint8 (f, H, W, 3), RGB."""
    latents: Tensor
    """(1, c, f, h, w): z_0^tgt."""
    settings: Any
    """Settings of the edit with overrides applied, of the editor's settings class."""


class STRMatch:
    """Edits clips with a frozen text-to-video backbone.

    A clip that is longer than `backbone.num_frames` is divided into windows. At every step of the
    inversion and of the edit, the prediction and the gradient of Eq. 5 are computed window by
    window and fused, see `strmatch.sampling.fusion`.

    Args:
        backbone: see `strmatch.load_backbone`.
        settings: defaults of every edit. None takes the settings of the backbone's preset.
        memory: "lean" recomputes activations in the backward pass (gradient checkpointing) and
            caches no Ω^src. Results are equal, with less memory and more time.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: `memory` is not one of the choices, or the backbone lacks the attention maps
            that the settings score.
    """

    @checks_arguments
    def __init__(
        self,
        backbone: Backbone,
        settings: EditSettings | None = None,
        *,
        memory: Literal["normal", "lean"] = "normal",
    ) -> None:
        self.backbone = backbone
        self.settings = settings or backbone.settings
        backbone.check_choice(map_choice(self.settings))
        self.lean = memory == "lean"
        self._feature_bytes = 0 if self.lean else FEATURE_BYTES

    @checks_arguments
    @torch.no_grad()
    def invert(self, frames: np.ndarray, source_prompt: str, **overrides: Any) -> Inversion:
        """Part 1 of Algorithm 1: inversion of the clip under its own prompt, unguided.

        Args:
            frames: uint8 (f, H, W, 3), RGB.
            source_prompt: description of the clip.
            **overrides: fields of `EditSettings`. Fields of the score select the cached features.

        Raises:
            TypeError: an argument has the wrong type, or an override is no field.
            ValueError: the frames have the wrong shape or dtype, or a size that the backbone does
                not support, or an override has a wrong value.
            NotFinite: the latents of a step are NaN or infinite.
        """
        settings = with_overrides(self.settings, **overrides)
        return self._invert(self.backbone.encode(frames), source_prompt, settings, len(frames))

    @checks_arguments
    @torch.no_grad()
    def edit(
        self,
        inversion: Inversion,
        target_prompt: str | Sequence[Region],
        *,
        mask: np.ndarray | None = None,
        joint_prompt: str | None = None,
        callback: Callback | None = None,
        **overrides: Any,
    ) -> EditResult:
        """Part 2 of Algorithm 1: denoise towards the target prompt while matching the STR score.

        Regions are edited in one pass, see `strmatch.regions`. One region gives exactly the edit
        with its target prompt and mask.

        Args:
            inversion: result of `invert`. Its settings apply unless overridden, in which case the
                clip is inverted again.
            target_prompt: description of the edited clip, or regions with a description each, from
                back to front.
            mask: bool (f, H, W), True where editing is allowed. None allows it everywhere. Regions
                have masks of their own.
            joint_prompt: description of the whole clip after the edit of all regions, on which
                the target's score is conditioned. None: see `strmatch.regions.join_prompts`.
            callback: called after each step with a dict of step (from 0), timestep, loss (summed
                over the windows) and grad_norm (at the latents before the SGD step), and latents
                (after blending). Without a callback, steps that only denoise skip the loss and
                gradient.
            **overrides: fields of `EditSettings`.

        Raises:
            TypeError: an argument has the wrong type, or an override is no field.
            ValueError: a mask does not match the clip's frames and size, there are no regions, a
                mask or joint prompt does not belong to the form of the edit, or an override has a
                wrong value.
            NotFinite: the loss, gradient or latents of a step, or the decoded frames, are NaN or
                infinite.
        """
        as_inverted: dict[str, Any] = {
            "num_inference_steps": inversion.schedule.num_steps,
            "inversion_label": inversion.label,
            "noised_until": inversion.noised_until,
            "inversion_refinements": inversion.refinements,
            "window_stride": inversion.window_stride,
            "window_weights": inversion.window_weights,
        }
        settings = with_overrides(self.settings, **as_inverted | overrides)
        if any(getattr(settings, name) != value for name, value in as_inverted.items()):
            inversion = self._invert(
                inversion.latents[0], inversion.source_prompt, settings, inversion.num_frames
            )
        schedule, z_source = inversion.schedule, inversion.latents
        windows = clip_windows(z_source[0], self.backbone, settings)
        source_prompt, negative_prompt = inversion.source_prompt, settings.negative_prompt
        regions, joint_prompt = as_regions(target_prompt, mask, joint_prompt, source_prompt)
        masks = latent_masks(regions, self.backbone, z_source[0], settings.mask_dilation)
        editable = masks.any(dim=0, keepdim=True)

        if negative_prompt is None:
            negative_prompt = source_prompt
        embed = cache(self.backbone.embed)
        source, unconditional, joint = map(embed, (source_prompt, negative_prompt, joint_prompt))
        target = region_texts(regions, joint_prompt, embed, self.backbone.token_positions)
        scored = [unconditional, joint] if settings.scored_halves == "both" else [joint]
        matcher = Matcher(self.backbone, settings, self.lean)

        z, check = z_source[-1], StepCheck("denoising")
        if settings.fresh_share > 0:
            z = freshen(z, settings.fresh_share)
        for step, noise_level in enumerate(range(schedule.num_steps, 0, -1)):
            t = schedule.timesteps[noise_level]
            lam = settings.lam if noise_level > settings.unmatched_steps else 0.0
            if lam > 0 or callback:
                features = (
                    self._source_features(matcher, inversion, noise_level, window, source)
                    for window in windows
                )
                loss, gradient = matcher.fused_loss_and_gradient(z, t, scored, features, windows)
                check.record(step, t, loss=loss, gradient=gradient)
                z = z - lam * gradient
            scale = settings.guidance_scale if noise_level > settings.unguided_steps else 1.0
            prediction = guided_prediction(
                self.backbone, z, t, unconditional, target, scale, windows, masks
            )
            z = schedule.step(z, prediction, noise_level, noise_level - 1)
            check.record(step, t, latents=z)
            z = blend(z, z_source[noise_level - 1], editable)
            if callback:  # .item() synchronises with the GPU
                callback(
                    {
                        "step": step,
                        "timestep": t,
                        "loss": loss.item(),
                        "grad_norm": gradient.norm().item(),
                        "latents": z,
                    }
                )
        check.finish()
        return EditResult(self.backbone.decode(z)[: inversion.num_frames], z, settings)

    def _invert(
        self, latents: Tensor, source_prompt: str, settings: EditSettings, num_frames: int | None
    ) -> Inversion:
        embedding = self.backbone.embed(source_prompt)
        schedule = self.backbone.schedule(settings.num_inference_steps)
        matcher = Matcher(self.backbone, settings)
        windows = clip_windows(latents, self.backbone, settings)
        features: dict[Hashable, list[Tensor]] = {}
        last_unmatched = schedule.timesteps[settings.unmatched_steps]

        def predict_in(window: Window, z: Tensor, t: float) -> Tensor:
            # With label "current" the inversion step and Ω^src share the model's inputs, so one
            # pass computes both.
            shared_pass = settings.inversion_label == "current" and t > last_unmatched
            z = of_window(z, window)
            if not (shared_pass and self._has_room(features)):
                return self.backbone.predict(z, t, embedding)
            prediction, kept = matcher.prediction_and_features(z, t, embedding)
            features[t, window, matcher.kind] = kept
            return prediction

        trajectory = invert(
            lambda z, t: fuse(windows, (predict_in(window, z, t) for window in windows)),
            latents,
            schedule,
            settings.inversion_label,
            settings.noised_until,
            settings.inversion_refinements,
        )
        return Inversion(
            trajectory,
            source_prompt,
            schedule,
            settings.inversion_label,
            settings.noised_until,
            settings.window_stride,
            settings.window_weights,
            num_frames,
            settings.inversion_refinements,
            features,
        )

    def _source_features(
        self,
        matcher: Matcher,
        inversion: Inversion,
        noise_level: int,
        window: Window,
        embedding: Tensor,
    ) -> list[Tensor]:
        t, kept = inversion.schedule.timesteps[noise_level], inversion.features
        features = kept.get((t, window, matcher.kind))
        if features is None:
            latents = of_window(inversion.latents[noise_level], window)
            features = matcher.features(latents, t, embedding)
            if self._has_room(kept):
                kept[t, window, matcher.kind] = features
        return features

    def _has_room(self, features: dict[Hashable, list[Tensor]]) -> bool:
        """Whether the cache takes another entry: see `Inversion.features`."""
        sizes = [tensor.nbytes for blocks in features.values() for tensor in blocks]
        size_after_next = sum(sizes) * (len(features) + 1) / max(len(features), 1)
        return size_after_next < self._feature_bytes
