"""FlowEdit (Kulikov et al. 2024, arXiv 2412.08629): inversion-free edits by two paths."""

from collections.abc import Sequence

import numpy as np
import torch

from strmatch.backbones.base import Backbone
from strmatch.baselines.base import EncodedClip, InversionFree, editable_latents
from strmatch.baselines.settings import FlowEditSettings, settings_for
from strmatch.editor import EditResult
from strmatch.finite import StepCheck
from strmatch.guidance import guided_prediction
from strmatch.masks import blend
from strmatch.regions import Region, as_regions
from strmatch.sampling.fusion import clip_windows
from strmatch.validation import check_minimum, checks_arguments


class FlowEdit(InversionFree):
    """Edits a clip along the difference between the paths of source and target prompt.

    At every noise level, the clip X is noised to z and the edit to z + D, with the same fresh
    noise, where D is the change of the clip so far. D moves by the difference of the steps of both.
    Steps are linear, so this is the step of the difference of the predictions. In flow matching
    that is the published D ← D + (σ' − σ) (v(z + D, target) − v(z, source)). In diffusion it is the
    same with steps of DDIM.

    Departures from the publication:

    * The last steps are as the others. The published option to finish by ordinary sampling (n_min)
      is left out. It is 0 in the published settings.
    * With a mask, D is 0 outside, so that the latents there are the clip's (Eq. 6 of
      arXiv 2506.22868).

    Args:
        backbone: see `strmatch.load_backbone`.
        settings: default: the published values, and the backbone's for `BACKBONE_FIELDS`.

    Raises:
        TypeError: an argument has the wrong type.
    """

    @checks_arguments
    def __init__(self, backbone: Backbone, settings: FlowEditSettings | None = None) -> None:
        self.backbone = backbone
        self.settings = settings or settings_for(FlowEditSettings, backbone.settings)

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
        """Follow the difference from the source prompt to the target prompt.

        Of regions, the joint prompt guides the union of the masks.

        Args:
            inversion: result of `invert`.
            target_prompt: description of the edited clip, or regions with a description each.
            mask: bool (f, H, W), True where editing is allowed. None allows it everywhere.
            joint_prompt: description of the whole clip after the edit of all regions. None: see
                `strmatch.regions.join_prompts`.
            seed: seed of the noise of all steps.

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
        prompt = inversion.source_prompt
        regions, joint_prompt = as_regions(target_prompt, mask, joint_prompt, prompt)
        editable = editable_latents(regions, backbone, clip, settings.mask_dilation)
        windows = clip_windows(clip, backbone, settings)
        source, target = backbone.embed(prompt), backbone.embed(joint_prompt)
        free = backbone.embed(settings.negative_prompt)
        scales = settings.source_guidance_scale, settings.guidance_scale
        generator = torch.Generator().manual_seed(seed)

        change, check = torch.zeros_like(clip), StepCheck("editing")
        first = round(settings.start_share * schedule.num_steps)
        for step, level in enumerate(range(first, 0, -1)):
            t, total = schedule.timesteps[level], torch.zeros_like(clip)
            for _ in range(settings.averages):
                noise = torch.randn(clip.shape, generator=generator).to(clip)
                z = schedule.noised(clip, noise, level)
                of_source = guided_prediction(backbone, z, t, free, source, scales[0], windows)
                z = z + change
                of_target = guided_prediction(backbone, z, t, free, target, scales[1], windows)
                total += of_target - of_source
            change = schedule.step(change, total / settings.averages, level, level - 1)
            if editable is not None:
                change = blend(change, torch.zeros_like(change), editable)
            check.record(step, t, latents=change)
        check.finish()
        z = clip + change
        return EditResult(backbone.decode(z)[: inversion.num_frames], z, settings)
