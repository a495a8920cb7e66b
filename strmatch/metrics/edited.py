"""Whether an edited clip shows the target prompt, and not the source prompt or another prompt."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from strmatch.metrics.base import Sample
from strmatch.metrics.clip import copies, load_clip

CONTEXT = 1.6
"""Side of a crop by the longer side of the mask's bounding box."""
LEAST = 0.25
"""Minimum side of a crop by the shorter side of the frame."""


class Edited:
    """Probability of the target prompt among several prompts, by CLIP.

    Zero-shot classification (Radford et al., ICML 2021): the softmax of the model's logits over the
    target prompt, the source prompt and the contrasts, averaged over frames. The value is the
    smaller one of whole frames and of square crops around the mask. Clips without a mask, and edits
    of the background, have no crops. Half of the frames edited give a value of about a half.

    Unit: probability. Range: 0 to 1, higher is better. Never NaN. Values with other contrasts or
    other models are not comparable.

    Args:
        folder, device: of the model, see `strmatch.metrics.clip.Clip`.
        contrasts: gives further prompts, none of which the edited clip should show.
        crops: whether crops are used. The CLIP of the embedded weights knows whole frames only.
        averaged: whether the logits of a frame are averaged with those of mirrored and shifted
            copies of the frame, which makes a small model steadier.
    """

    def __init__(
        self,
        folder: Path,
        device: str | torch.device | None = None,
        contrasts: Callable[[Sample], Sequence[str]] = lambda sample: (),
        crops: bool = True,
        averaged: bool = False,
    ) -> None:
        self.clip = load_clip(folder, device)
        self.contrasts = contrasts
        self.crops = crops
        self.averaged = averaged

    def __call__(self, sample: Sample) -> float:
        others = [sample.source_prompt, *self.contrasts(sample)]
        prompts = self.clip.prompts([sample.target_prompt, *others])
        views = [sample.edited]
        if self.crops and sample.where == "subject" and sample.mask is not None:
            views.append(crop(sample.edited, sample.mask))
        return min(self._probability(frames, prompts) for frames in views)

    def _probability(self, frames: np.ndarray, prompts: torch.Tensor) -> float:
        """Mean probability of the first of the prompts, (prompts, channels)."""
        shown = self.clip.frames(copies(frames) if self.averaged else frames)
        logits = self.clip.scale * (shown @ prompts.T).unflatten(0, (-1, len(frames)))
        return float(logits.mean(dim=0).softmax(dim=-1)[:, 0].mean())


def crop(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Cut a square around the mask out of every frame, and enlarge the squares to one size.

    In frames with an empty mask, the square is that of the frame before.

    Args:
        frames: uint8 (f, H, W, 3).
        mask: bool (f, H, W).

    Returns:
        uint8 (f, S, S, 3), S being the shorter side of a frame.
    """
    short = min(mask.shape[1:])
    centre, side = np.array(mask.shape[1:]) / 2, float(short)
    squares = []
    for frame, inside in zip(frames, mask, strict=True):
        if inside.any():
            place = np.argwhere(inside)
            first, last = place.min(axis=0), place.max(axis=0) + 1
            centre, side = (first + last) / 2, CONTEXT * float((last - first).max())
        length = round(min(max(side, LEAST * short), short))
        top, left = (
            int(np.clip(round(middle - length / 2), 0, whole - length))
            for middle, whole in zip(centre, mask.shape[1:], strict=True)
        )
        square = frame[top : top + length, left : left + length]
        squares.append(cv2.resize(square, (short, short), interpolation=cv2.INTER_CUBIC))
    return np.stack(squares)
