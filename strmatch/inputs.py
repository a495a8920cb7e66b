"""Frames and prompts as the models take them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def to_unit_range(frames: Tensor) -> Tensor:
    """Convert uint8 (…, H, W, 3) to float32 (…, 3, H, W) from -1 to 1."""
    return frames.movedim(-1, -3).float() / 127.5 - 1


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
