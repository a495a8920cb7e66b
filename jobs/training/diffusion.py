"""The joint training of the video UNet and its text tower as a denoiser of latents."""

from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTokenizer

from jobs.training.batches import draw_scenes, in_any_order
from jobs.training.loop import Loss, step_generator
from jobs.training.precision import fast
from jobs.training.recipe import DiffusionPhase
from jobs.training.workers import Worker
from strmatch.backbones.lavie import LaVieUNet
from strmatch.backbones.lavie_layers import ResnetBlock, Transformer
from strmatch.inputs import to_unit_range, tokenize
from strmatch.miniature.scenes import Scene, caption
from strmatch.miniature.splits import Attributes
from strmatch.miniature.world import render

NO_CAPTION = 0.1
UNSAID_ATTRIBUTE = 0.1
SPREAD = 1.25
FRAMES_CENTRE, CLIPS_CENTRE, SHOWN_CENTRE = -0.7, 0.7, 1.5
MAX_WEIGHT = 20.0


@dataclass(frozen=True)
class Bank:
    """The clips of a phase, rendered and encoded once."""

    latents: Tensor
    """float16 (clips, f, c, h, w)."""
    scenes: list[Scene]


@torch.no_grad()
def fill_bank(
    vae: AutoencoderKL, phase: DiffusionPhase, worker: Worker, seed: int, name: str
) -> Bank:
    """Render and encode this worker's share of the phase's clips."""
    clips = max(1, phase.clips // worker.count)
    scenes: list[Scene] = []
    latents = []
    while len(scenes) < clips:
        generator = step_generator(seed, f"{name} clips", len(scenes), worker.index)
        batch = draw_scenes(
            min(16, clips - len(scenes)), generator, phase.harder, phase.pairs, phase.trios
        )
        frames = to_unit_range(_frames(batch, phase, generator, worker.device))
        with fast(worker.device):
            means = vae.encode(frames.flatten(0, 1)).latent_dist.mean
        latents.append(means.half().unflatten(0, frames.shape[:2]))
        scenes += batch
    return Bank(torch.cat(latents), scenes)


def _frames(
    scenes: list[Scene], phase: DiffusionPhase, generator: torch.Generator, device: str
) -> Tensor:
    """Returns frames, uint8 (b, f, H, W, 3): evenly spaced, or with `stride` a random stretch."""
    if phase.stride is None:
        return render(scenes, num_frames=phase.frames, device=device).frames
    whole = render(scenes, device=device).frames
    last = whole.shape[1] - (phase.frames - 1) * phase.stride
    first = torch.randint(last, (len(scenes), 1), generator=generator)
    moments = first + torch.arange(phase.frames) * phase.stride
    return whole[torch.arange(len(scenes))[:, None], moments]


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
        apart = phase.frames > 1 and bool(torch.rand((), generator=generator) < phase.images)
        count = clips * phase.frames if apart else clips
        rows = torch.randint(len(bank.scenes), (count,), generator=generator)
        clean = bank.latents[rows]
        if apart:  # the usual number of frames, each of another clip
            moments = torch.randint(phase.frames, (count,), generator=generator)
            clean = clean[torch.arange(count), moments].unsqueeze(1)
        clean = clean.float().transpose(1, 2)  # (b, c, f, h, w)
        still = clean.shape[2] == 1
        captions = [_say(bank.scenes[row], still, generator) for row in rows.tolist()]
        shown = _shown(clean, phase, generator)
        centre = torch.where(shown.any(dim=1), SHOWN_CENTRE, CLIPS_CENTRE)
        if still:
            centre = torch.full_like(centre, FRAMES_CENTRE)
        timesteps = _timesteps(centre, len(alphas), generator).to(device)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        alpha = alphas[timesteps].view(-1, 1, 1, 1, 1)
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        hidden = ~shown[:, None, :, None, None].to(device)
        noisy = torch.where(hidden, noisy, clean)
        noisy = noisy.contiguous(memory_format=torch.channels_last_3d)
        target = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean if predicts_v else noise
        # The fused kernels' backward is slow on short sequences.
        with fast(device), sdpa_kernel(SDPBackend.MATH):
            text = text_tower(tokenize(tokenizer, captions, device))[0]
            output = unet(noisy, timesteps, text)
        error = (output.float() - target).square()
        usual = _usual_error(alpha) if predicts_v else alpha.clamp(min=1 / MAX_WEIGHT)
        return (error / usual * hidden).sum() / hidden.expand_as(error).sum()

    return loss


def _shown(clean: Tensor, phase: DiffusionPhase, generator: torch.Generator) -> Tensor:
    """Returns bool (b, f): the frames that are shown without noise, at most one a clip."""
    clips, frames = clean.shape[0], clean.shape[2]
    anywhere = torch.rand((clips, 1), generator=generator) < phase.shown_anywhere
    frame = torch.randint(frames, (clips, 1), generator=generator) * anywhere
    chosen = torch.rand((clips, 1), generator=generator) < (phase.shown if frames > 1 else 0.0)
    return chosen & (frame == torch.arange(frames))


def _say(scene: Scene, still: bool, generator: torch.Generator) -> str:
    """Returns the caption, figures in random order, at random without an attribute, or empty."""
    draw = float(torch.rand((), generator=generator))
    if draw < NO_CAPTION:
        return ""
    without = {"motion"} if still else set()
    if draw < NO_CAPTION + UNSAID_ATTRIBUTE:
        index = int(torch.randint(len(Attributes._fields), (), generator=generator))
        without.add(Attributes._fields[index])
    return caption(in_any_order(scene, generator), without)


def _usual_error(alpha: Tensor) -> Tensor:
    """Returns the usual squared error of v at noise level ᾱ.

    Fitted to a network after 800 steps on single frames.
    """
    return 0.04 + 0.55 * torch.sigmoid(-5 - torch.logit(alpha))


def _timesteps(centre: Tensor, levels: int, generator: torch.Generator) -> Tensor:
    count = len(centre)
    strata = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    strata = strata[torch.randperm(count, generator=generator)]
    share = torch.sigmoid(centre + SPREAD * torch.special.ndtri(strata.clamp(1e-6, 1 - 1e-6)))
    return (share * levels).long().clamp(max=levels - 1)


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
