"""SDEdit (Meng et al. 2022, arXiv 2108.01073) on a text-to-video backbone."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from strmatch.backbones.base import Backbone
from strmatch.baselines.base import EncodedClip, InversionFree, editable_latents
from strmatch.baselines.settings import SDEditSettings, settings_for
from strmatch.editor import EditResult
from strmatch.finite import StepCheck
from strmatch.guidance import guided_prediction
from strmatch.masks import blend
from strmatch.regions import Region, as_regions
from strmatch.sampling.fusion import clip_windows
from strmatch.sampling.schedule import noise_like
from strmatch.validation import check_minimum, checks_arguments


class SDEdit(InversionFree):
    """Edits a clip by adding noise and denoising under the target prompt.

    Departures from the paper, which solves the reverse SDE of unconditional image models:

    * The sampler is deterministic: DDIM, or Euler's steps of flow matching.
    * The target prompt with classifier-free guidance replaces the painted guide.
    * Each edit is one pass, without the repetitions that the paper uses for some edits.

    Args:
        backbone: see `strmatch.load_backbone`.
        settings: default: the published values, and the backbone's for `BACKBONE_FIELDS`.

    Raises:
        TypeError: an argument has the wrong type.
    """

    @checks_arguments
    def __init__(self, backbone: Backbone, settings: SDEditSettings | None = None) -> None:
        self.backbone = backbone
        self.settings = settings or settings_for(SDEditSettings, backbone.settings)

    @checks_arguments
    @torch.no_grad()
    def edit(
        self,
        inversion: EncodedClip,
        target_prompt: str | Sequence[Region],
        *,
        mask: np.ndarray | None = None,
        joint_prompt: str | None = None,
        seed: int = 0,
    ) -> EditResult:
        """Add noise up to `strength` and denoise towards the target prompt.

        Of regions, the joint prompt guides the union of the masks.

        Args:
            inversion: result of `invert`.
            target_prompt: description of the edited clip, or regions with a description each.
            mask: bool (f, H, W), True where editing is allowed. None allows it everywhere. Outside
                the mask, the latents of every level are the clip's with the same noise (Eq. 6 of
                arXiv 2506.22868).
            joint_prompt: description of the whole clip after the edit of all regions. None: see
                `strmatch.regions.join_prompts`.
            seed: seed of the noise.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: a mask does not match the clip's frames and size, there are no regions, a
                mask or joint prompt does not belong to the form of the edit, or the seed is
                negative.
            NotFinite: the latents of a step or the decoded frames are NaN or infinite.
        """
        check_minimum(0, seed=seed)
        settings, backbone, clip = self.settings, self.backbone, inversion.latents
        schedule = backbone.schedule(settings.num_inference_steps)
        noise = noise_like(clip, seed)
        prompt = inversion.source_prompt
        regions, joint_prompt = as_regions(target_prompt, mask, joint_prompt, prompt)
        editable = editable_latents(regions, backbone, clip, settings.mask_dilation)

        def source(noise_level: int) -> Tensor:
            return schedule.noised(clip, noise, noise_level) if noise_level else clip

        windows = clip_windows(clip, backbone, settings)
        target = backbone.embed(joint_prompt)
        unconditional = backbone.embed(settings.negative_prompt)
        first = round(settings.strength * schedule.num_steps)
        z, check = source(first), StepCheck("denoising")
        for step, noise_level in enumerate(range(first, 0, -1)):
            t, scale = schedule.timesteps[noise_level], settings.guidance_scale
            prediction = guided_prediction(backbone, z, t, unconditional, target, scale, windows)
            z = schedule.step(z, prediction, noise_level, noise_level - 1)
            check.record(step, t, latents=z)
            if editable is not None:
                z = blend(z, source(noise_level - 1), editable)
        check.finish()
        return EditResult(backbone.decode(z)[: inversion.num_frames], z, settings)
