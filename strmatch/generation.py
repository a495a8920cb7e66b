"""Text-to-video generation by deterministic steps. LaVie's authors sample by DDPM by default."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.backbones.joint.backbone import JointDiffusion
from strmatch.guidance import guided_prediction
from strmatch.sampling.fusion import clip_windows
from strmatch.sampling.solver import denoise
from strmatch.validation import check_minimum, checks_arguments


@checks_arguments
@torch.no_grad()
def generate(
    backbone: VideoDiffusion | JointDiffusion,
    prompts: Sequence[str],
    *,
    num_frames: int = 16,
    negative_prompt: str = "",
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Generate one clip per prompt, of the size that the backbone was trained on.

    Args:
        backbone: see `load_backbone`.
        prompts: descriptions of the clips, which are denoised as one batch.
        num_frames: number of frames of each clip, at least 1. Clips that are longer than
            `backbone.num_frames` are fused from windows.
        negative_prompt: prompt of the unconditional half of the guidance.
        num_inference_steps: number of DDIM steps, at least 1. None takes the backbone's edit
            settings.
        guidance_scale: None takes the backbone's edit settings.
        seed: seed of the first clip's noise, at least 0. Each further clip uses the next integer.

    Returns:
        uint8 (b, f, H, W, 3), RGB.

    Raises:
        TypeError: an argument has the wrong type. A string is no list of prompts.
        ValueError: `prompts` is empty, or a number is too small or not finite.
        NotFinite: the latents of a step or the decoded frames are NaN or infinite.
    """
    if not prompts:
        raise ValueError("prompts must hold at least one prompt")
    check_minimum(1, num_frames=num_frames)
    check_minimum(0, seed=seed)
    settings = backbone.settings
    scale = settings.guidance_scale if guidance_scale is None else guidance_scale
    steps = settings.num_inference_steps if num_inference_steps is None else num_inference_steps
    check_minimum(1, num_inference_steps=steps)
    schedule = backbone.schedule(steps)
    target = torch.cat([backbone.embed(prompt) for prompt in prompts])
    unconditional = backbone.embed(negative_prompt).expand_as(target)
    noise = torch.cat([backbone.noise(num_frames, seed + index) for index in range(len(prompts))])

    windows = clip_windows(noise, backbone, settings)

    def predict(latents: Tensor, timestep: float) -> Tensor:
        return guided_prediction(backbone, latents, timestep, unconditional, target, scale, windows)

    latents = denoise(predict, noise, schedule)
    return np.stack([backbone.decode(clip)[:num_frames] for clip in latents.split(1)])
