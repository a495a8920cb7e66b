"""The clips that a model is trained on, and the batches drawn from them."""

from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from jobs.training.batches import draw_scenes, in_any_order
from jobs.training.loop import step_generator
from jobs.training.precision import fast
from jobs.training.recipe import DiffusionPhase
from jobs.training.workers import Worker
from strmatch.inputs import to_unit_range
from strmatch.miniature.scenes import Scene, caption
from strmatch.miniature.splits import Attributes
from strmatch.miniature.world import render

NO_CAPTION = 0.1
UNSAID_ATTRIBUTE = 0.1


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


@dataclass(frozen=True)
class Batch:
    """Clips, or single frames, of a bank."""

    clean: Tensor
    """Latents, float32 (b, c, f, h, w)."""
    captions: list[str]
    shown: Tensor
    """bool (b, f), on the CPU: the frames that are shown without noise, at most one a clip."""

    @property
    def still(self) -> bool:
        """Whether the batch has single frames."""
        return self.clean.shape[2] == 1


def draw_batch(bank: Bank, phase: DiffusionPhase, clips: int, generator: torch.Generator) -> Batch:
    """Draws a batch of `clips` clips, or of single frames at the share `phase.images`.

    Captions of single frames say nothing of motion. Some captions lack an attribute or are empty.
    """
    apart = phase.frames > 1 and bool(torch.rand((), generator=generator) < phase.images)
    count = clips * phase.frames if apart else clips
    rows = torch.randint(len(bank.scenes), (count,), generator=generator)
    clean = bank.latents[rows]
    if apart:  # the usual number of frames, each of another clip
        moments = torch.randint(phase.frames, (count,), generator=generator)
        clean = clean[torch.arange(count), moments].unsqueeze(1)
    clean = clean.float().transpose(1, 2)
    still = clean.shape[2] == 1
    captions = [_say(bank.scenes[row], still, generator) for row in rows.tolist()]
    return Batch(clean, captions, _shown(clean, phase, generator))


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
