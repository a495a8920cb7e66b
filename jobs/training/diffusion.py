"""The joint training of the video UNet and its text tower as a denoiser of latents."""

import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTokenizer

from jobs.training.bank import Bank, draw_batch
from jobs.training.loop import Loss
from jobs.training.precision import fast
from jobs.training.recipe import DiffusionPhase
from strmatch.backbones.lavie import LaVieUNet
from strmatch.backbones.lavie_layers import ResnetBlock, Transformer
from strmatch.inputs import tokenize

SPREAD = 1.25
FRAMES_CENTRE, CLIPS_CENTRE, SHOWN_CENTRE = -0.7, 0.7, 1.5
MAX_WEIGHT = 20.0


def denoising_loss(
    unet: LaVieUNet,
    text_tower: nn.Module,
    tokenizer: CLIPTokenizer,
    scheduler: DDIMScheduler,
    bank: Bank,
    phase: DiffusionPhase,
    clips: int,
    device: str,
) -> Loss:
    """Returns the squared error of the UNet's prediction, v or epsilon as the scheduler is set.

    Timesteps are stratified over the batch and logit-normal (Esser et al. 2024). Single frames are
    trained more at low noise, which decides outlines. Clips are trained more at high noise, which
    decides the layout: sixteen noisy frames reveal a sprite that a single noisy frame hides. Errors
    of v are divided by the usual error at their noise level, so that outlines weigh as much as
    layout (as in Karras et al. 2024). Errors of epsilon are weighted by min(1/ᾱ_t, 20).

    A frame that is shown without noise (as in Voleti et al. 2022) has no loss. The caption's
    direction then determines the subject's position in the other frames. Without shown frames,
    direction contributes too little to the loss to be learned: no other attribute depends on the
    order of frames, and temporal attention is relative. If frames before and after the shown one
    weigh the same, the direction and the order of frames help only together. Early phases
    therefore show first frames.

    Args:
        bank: clips to draw from.
        phase: settings of the phase.
        clips: clips a step of this worker.
        device: "cpu" or "cuda".
    """
    alphas = scheduler.alphas_cumprod.to(device)
    predicts_v = scheduler.config.prediction_type == "v_prediction"

    def loss(step: int, generator: torch.Generator) -> Tensor:
        batch = draw_batch(bank, phase, clips, generator)
        clean, shown = batch.clean, batch.shown
        centre = torch.where(shown.any(dim=1), SHOWN_CENTRE, CLIPS_CENTRE)
        if batch.still:
            centre = torch.full_like(centre, FRAMES_CENTRE)
        share = noise_shares(centre, SPREAD, generator)
        timesteps = (share * len(alphas)).long().clamp(max=len(alphas) - 1).to(device)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        alpha = alphas[timesteps].view(-1, 1, 1, 1, 1)
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        hidden = ~shown[:, None, :, None, None].to(device)
        noisy = torch.where(hidden, noisy, clean)
        noisy = noisy.contiguous(memory_format=torch.channels_last_3d)
        target = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean if predicts_v else noise
        # The fused kernels' backward is slow on short sequences.
        with fast(device), sdpa_kernel(SDPBackend.MATH):
            text = text_tower(tokenize(tokenizer, batch.captions, device))[0]
            output = unet(noisy, timesteps, text)
        error = (output.float() - target).square()
        usual = usual_error(alpha) if predicts_v else alpha.clamp(min=1 / MAX_WEIGHT)
        return (error / usual * hidden).sum() / hidden.expand_as(error).sum()

    return loss


def usual_error(alpha: Tensor) -> Tensor:
    """Returns the usual squared error of v at noise level ᾱ.

    Fitted to a network after 800 steps on single frames.
    """
    return 0.04 + 0.55 * torch.sigmoid(-5 - torch.logit(alpha))


def noise_shares(centre: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """Draws shares in (0, 1), logit-normal around `centre` and stratified over the batch."""
    count = len(centre)
    strata = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    strata = strata[torch.randperm(count, generator=generator)]
    return torch.sigmoid(centre + spread * torch.special.ndtri(strata.clamp(1e-6, 1 - 1e-6)))


def silence_residuals(unet: LaVieUNet) -> None:
    """Zero the last layer of every residual branch and the output layer (identity at the start)."""
    ends: list[nn.Module] = [unet.conv_out]
    for module in unet.modules():
        if isinstance(module, ResnetBlock):
            ends.append(module.conv2)
        if isinstance(module, Transformer):
            ends.append(module.proj_out)
    for end in ends:
        for parameter in end.parameters():
            nn.init.zeros_(parameter)
