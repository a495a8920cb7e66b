"""The training of the autoencoder: reconstruction of frames of every kind of scene."""

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from jobs.training.batches import draw_scenes
from jobs.training.loop import Loss
from jobs.training.precision import fast
from strmatch.inputs import to_unit_range
from strmatch.miniature.world import render

KL_WEIGHT = 1e-5
HARDER, PAIRS, TRIOS = 0.3, 0.2, 0.2


def reconstruction_loss(vae: AutoencoderKL, frames: int, device: str) -> Loss:
    """Returns the reconstruction loss, L1 + L2 + `KL_WEIGHT`·KL, on `frames` frames a step."""

    def loss(step: int, generator: torch.Generator) -> Tensor:
        scenes = draw_scenes((frames + 1) // 2, generator, HARDER, PAIRS, TRIOS)
        images = to_unit_range(render(scenes, num_frames=2, device=device).frames).flatten(0, 1)[
            :frames
        ]
        with fast(device):
            posterior = vae.encode(images).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=generator).to(device)
            output = vae.decode(posterior.mean + posterior.std * noise).sample
        output = output.float()
        divergence = posterior.kl().float().mean() / posterior.mean[0].numel()
        error = F.l1_loss(output, images) + F.mse_loss(output, images)
        return error + KL_WEIGHT * divergence

    return loss


@torch.no_grad()
def standardise(vae: AutoencoderKL, seed: int, device: str, clips: int = 256) -> None:
    """Fold the latents' mean and scale of each channel into the 1×1 convolutions next to them.

    Afterwards the latents of the world's frames have mean 0 and standard deviation 1. The
    decoder's output is unchanged.
    """
    scenes = draw_scenes(clips, torch.Generator().manual_seed(seed))
    images = to_unit_range(render(scenes, num_frames=2, device=device).frames).flatten(0, 1)
    means = torch.cat([vae.encode(part).latent_dist.mean for part in images.split(64)])
    shift, scale = means.mean(dim=(0, 2, 3)), means.std(dim=(0, 2, 3))

    into, out = vae.quant_conv, vae.post_quant_conv
    channels = len(shift)
    into.weight[:channels] /= scale[:, None, None, None]
    into.bias[:channels] = (into.bias[:channels] - shift) / scale
    into.bias[channels:] -= 2 * scale.log()  # the other half is the logarithm of the variance
    out.bias += out.weight[..., 0, 0] @ shift
    out.weight *= scale[:, None, None]
