"""Floating-point operations of an edit, and the measured rate of a GPU's matrix units."""

from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from jobs.benchmark.measure import now
from jobs.benchmark.models import SOURCE, TARGETS, Model
from strmatch.matching import Matcher
from strmatch.settings import EditSettings

SIDE = 8192


def matrix_rate() -> float:
    """Measures the rate of bf16 products of random 8192×8192 matrices, in operations a second."""
    left, right = (torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(20):
        began = now()
        left @ right
        seconds.append(now() - began)
    return 2 * SIDE**3 / median(seconds)


@torch.no_grad()
def count_operations(model: Model, settings: EditSettings) -> float:
    """Counts the floating-point operations of products, convolutions and attention in an edit.

    A backward pass through frozen weights counts as much as its forward pass. Encoding and
    decoding are excluded.
    """
    backbone, matcher = model.backbone, Matcher(model.backbone, settings)
    latents = backbone.encode(model.frames)
    source, target = backbone.embed(SOURCE), backbone.embed(TARGETS[0])
    inversion, score, denoising = (FlopCounterMode(display=False) for _ in range(3))
    with inversion:
        matcher.prediction_and_features(latents, 500, source)
    with score:
        matcher.features(latents, 500, target)
    with denoising:
        backbone.predict(latents, 500, torch.cat([source, target]))
    parts = (inversion.get_total_flops(), 2 * score.get_total_flops(), denoising.get_total_flops())
    return float(settings.num_inference_steps * sum(parts))
