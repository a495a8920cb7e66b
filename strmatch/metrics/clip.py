"""A CLIP model, which embeds prompts and frames in one space."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from strmatch.inputs import tokenize
from strmatch.weights.strict import best_device, load_strictly

BATCH = 16
"""Number of frames per forward pass."""
SHIFT = 3
"""Shift of the copies of a frame, pixels."""


class Clip:
    """A `CLIPModel` with its tokenizer and image processor. `load_clip` shares an instance.

    Args:
        folder: safetensors in the layout of `save_pretrained`: clip/ of the embedded weights, or a
            published model.
        device: default: the GPU if there is one, else the CPU.

    Raises:
        WeightsError: the model cannot be loaded from the folder.
    """

    def __init__(self, folder: Path, device: str | torch.device | None = None) -> None:
        self.device = best_device(device)
        self.model = load_strictly(CLIPModel, folder, torch.float32).eval().to(self.device)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)
        self.processor = CLIPImageProcessorPil.from_pretrained(folder)

    @property
    def scale(self) -> float:
        """The factor of cosine similarities that the model was trained with."""
        return float(self.model.logit_scale.exp().detach())

    @torch.no_grad()
    def prompts(self, prompts: Sequence[str]) -> Tensor:
        """Embed prompts as unit vectors, float32 (prompts, channels)."""
        tokens = tokenize(self.tokenizer, list(prompts), self.device)
        return F.normalize(self.model.get_text_features(tokens).pooler_output, dim=-1)

    @torch.no_grad()
    def frames(self, frames: np.ndarray) -> Tensor:
        """Embed frames, uint8 (n, H, W, 3), as unit vectors, float32 (n, channels)."""
        batches = [frames[start : start + BATCH] for start in range(0, len(frames), BATCH)]
        return F.normalize(torch.cat([self._embed(batch) for batch in batches]), dim=-1)

    def _embed(self, frames: np.ndarray) -> Tensor:
        pixels = self.processor(list(frames), return_tensors="pt").pixel_values
        return self.model.get_image_features(pixels.to(self.device)).pooler_output


def copies(frames: np.ndarray) -> np.ndarray:
    """Frames with mirrored and shifted copies, for models that a few pixels can mislead.

    Args:
        frames: uint8 (f, H, W, 3).

    Returns:
        uint8 (6 · f, H, W, 3): the frames, mirrored, and both shifted down and to the side.
    """
    mirrored = frames[:, :, ::-1]
    shifted = [
        np.roll(one, way, axis)
        for one, way in ((frames, SHIFT), (mirrored, -SHIFT))
        for axis in (1, 2)
    ]
    return np.concatenate([frames, mirrored, *shifted])


@cache
def load_clip(folder: Path, device: str | torch.device | None = None) -> Clip:
    """Load a CLIP model once in a process. Arguments and errors as for `Clip`."""
    return Clip(folder, device)
