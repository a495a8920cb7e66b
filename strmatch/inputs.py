"""Frames and prompts as the models take them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def check_frames(frames: np.ndarray, multiple: int) -> np.ndarray:
    """Return frames that a model can encode.

    Args:
        frames: a clip.
        multiple: number of which height and width must be multiples.

    Raises:
        ValueError: the frames are not uint8 (f, H, W, 3), are empty, or H or W is not a multiple.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"frames must be uint8 (f, H, W, 3), got {frames.dtype} {frames.shape}")
    if not frames.size:
        raise ValueError(f"frames must not be empty, got shape {frames.shape}")
    if frames.shape[1] % multiple or frames.shape[2] % multiple:
        raise ValueError(
            f"frame height and width must be multiples of {multiple}, "
            f"got {frames.shape[1]}×{frames.shape[2]}"
        )
    return frames


def to_unit_range(frames: Tensor) -> Tensor:
    """Convert uint8 (…, H, W, 3) to float32 (…, 3, H, W) from -1 to 1."""
    return frames.movedim(-1, -3).float() / 127.5 - 1


def to_pixels(images: Tensor) -> Tensor:
    """Convert (…, 3, H, W) from -1 to 1 to uint8 (…, H, W, 3), which inverts `to_unit_range`."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1)


def tokenize(tokenizer: Any, prompts: Sequence[str], device: str | torch.device = "cpu") -> Tensor:
    """Token ids, long (prompts, tokens), for text encoders of the CLIP family.

    Texts are padded or truncated to the tokenizer's maximum length.

    Args:
        tokenizer: a CLIPTokenizer.
        prompts: texts to tokenise.
        device: device of the result.
    """
    padded = tokenizer(
        list(prompts),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    return padded.input_ids.to(device)
