"""The training of the transformer with joint attention by flow matching of latents."""

from contextlib import AbstractContextManager, nullcontext

import torch
from diffusers import WanTransformer3DModel
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTokenizer

from jobs.training.bank import Bank, draw_batch
from jobs.training.diffusion import noise_shares, usual_error
from jobs.training.loop import Loss
from jobs.training.precision import fast
from jobs.training.recipe import DiffusionPhase
from strmatch.inputs import tokenize

LABELS = 1000
"""Label of the noisiest level, σ = 1."""
SPREAD = 1.3
FRAMES_CENTRE, CLIPS_CENTRE, SHOWN_CENTRE = 0.5, 2.2, 3.3


def flow_loss(
    transformer: WanTransformer3DModel,
    text_tower: nn.Module,
    tokenizer: CLIPTokenizer,
    bank: Bank,
    phase: DiffusionPhase,
    clips: int,
    device: str,
) -> Loss:
    """Returns the squared error of the velocity ε - x of z = (1 - σ) x + σ ε (Lipman et al. 2023).

    σ is stratified over the batch and logit-normal (Esser et al. 2024). The centres and the spread
    have the ratios of signal and noise of the factorised model's training, single frames less noise
    than clips, and so has the weight: an error at σ is divided by the usual error there. Frames
    that are shown without noise have no loss. See `jobs.training.diffusion.denoising_loss`.

    Args:
        bank: clips to draw from.
        phase: settings of the phase.
        clips: clips a step of this worker.
        device: "cpu" or "cuda".
    """

    def loss(step: int, generator: torch.Generator) -> Tensor:
        batch = draw_batch(bank, phase, clips, generator)
        clean, shown = batch.clean.to(device), batch.shown
        centre = torch.where(shown.any(dim=1), SHOWN_CENTRE, CLIPS_CENTRE)
        if batch.still:
            centre = torch.full_like(centre, FRAMES_CENTRE)
        sigma = noise_shares(centre, SPREAD, generator).to(device)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        level = sigma.view(-1, 1, 1, 1, 1)
        hidden = ~shown[:, None, :, None, None].to(device)
        noisy = torch.where(hidden, clean.lerp(noise, level), clean)
        with fast(device), _attention(batch.still):
            text = text_tower(tokenize(tokenizer, batch.captions, device))[0]
            output = transformer(noisy, LABELS * sigma, text).sample
        error = (output.float() - (noise - clean)).square()
        return (error / usual_flow_error(level) * hidden).sum() / hidden.expand_as(error).sum()

    return loss


def usual_flow_error(sigma: Tensor) -> Tensor:
    """Returns the usual squared error of the velocity at σ.

    The error of v at the same ratio of signal and noise, which has ᾱ = (1 - σ)² / s with
    s = (1 - σ)² + σ². Equal errors of the clean latents are errors of v and of the velocity in the
    ratio 1 to 1 / s.
    """
    s = (1 - sigma).square() + sigma.square()
    return usual_error((1 - sigma).square() / s) / s


def _attention(still: bool) -> AbstractContextManager[None]:
    """Selects plain attention for single frames, whose 64 tokens make the fused kernels slow."""
    return sdpa_kernel(SDPBackend.MATH) if still else nullcontext()
