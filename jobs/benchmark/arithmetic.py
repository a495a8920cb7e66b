"""How much arithmetic an edit is, and how fast a GPU's matrix units are found to be."""

from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from jobs.benchmark.measure import now
from jobs.benchmark.models import SOURCE, TARGETS, Model
from strmatch.matching import Matcher
from strmatch.settings import EditSettings

SIDE = 8192


def matrix_rate() -> float:
    """Floating-point operations a second of bf16 products of random 8192×8192 matrices."""
    left, right = (torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(20):
        began = now()
        left @ right
        seconds.append(now() - began)
    return 2 * SIDE**3 / median(seconds)


@torch.no_grad()
def count_operations(model: Model, settings: EditSettings) -> float:
    """Floating-point operations of matrix products, convolutions and attention in one of our edits.

    A backward pass through frozen weights counts as much as the forward pass before it. Encoding
    and decoding are left out.
    """
    backbone, matcher = model.backbone, Matcher(model.backbone, settings)
    latents = backbone.encode(model.frames)
    source, target = backbone.embed(SOURCE), backbone.embed(TARGETS[0])
    inversion, score, denoising = (FlopCounterMode(display=False) for _ in range(3))
    with inversion:
        matcher.epsilon_and_features(latents, 500, source)
    with score:
        matcher.features(latents, 500, target)
    with denoising:
        backbone.epsilon(latents, 500, torch.cat([source, target]))
    parts = (inversion.get_total_flops(), 2 * score.get_total_flops(), denoising.get_total_flops())
    return float(settings.num_inference_steps * sum(parts))
