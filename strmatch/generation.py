"""Text to video with plain DDIM: what a backbone shows when nothing is edited."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from strmatch.backbones.diffusion import VideoDiffusion
from strmatch.ddim import Schedule, denoise
from strmatch.guidance import guided_epsilon


@torch.no_grad()
def generate(
    backbone: VideoDiffusion,
    prompts: Sequence[str],
    *,
    num_frames: int = 16,
    negative_prompt: str = "",
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Make one clip a prompt, of the size that the backbone was trained on.

    Args:
        backbone: from `load_backbone`.
        prompts: what the clips shall show. They are denoised together.
        num_frames: frames of each clip.
        negative_prompt: the unconditional half's prompt.
        num_inference_steps: DDIM steps; default: the backbone's edit settings'.
        guidance_scale: default: the backbone's edit settings'.
        seed: the noise of the first clip; the next one's is that of `seed` + 1.

    Returns:
        uint8 (b, f, H, W, 3), RGB.

    Raises:
        ValueError: no prompt.
    """
    if not prompts:
        raise ValueError("generate needs at least one prompt")
    settings = backbone.settings
    scale = settings.guidance_scale if guidance_scale is None else guidance_scale
    steps = num_inference_steps or settings.num_inference_steps
    schedule = Schedule.from_scheduler(backbone.scheduler, steps)
    target = torch.cat([backbone.embed(prompt) for prompt in prompts])
    unconditional = backbone.embed(negative_prompt).expand_as(target)
    noise = torch.cat([backbone.noise(num_frames, seed + index) for index in range(len(prompts))])

    def epsilon(latents: Tensor, timestep: int) -> Tensor:
        return guided_epsilon(backbone, latents, timestep, unconditional, target, scale)

    latents = denoise(epsilon, noise, schedule)
    return np.stack([backbone.decode(clip) for clip in latents.split(1)])
