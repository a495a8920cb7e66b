"""Prompts as a text encoder of the CLIP family takes them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def tokenize(tokenizer: Any, prompts: Sequence[str], device: str | torch.device = "cpu") -> Tensor:
    """Token ids, long (prompts, tokens): padded, or cut, to what the encoder was trained with.

    Args:
        tokenizer: a CLIPTokenizer.
    """
    padded = tokenizer(
        list(prompts),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    return padded.input_ids.to(device)
