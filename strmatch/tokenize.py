"""Tokenisation of prompts for text encoders of the CLIP family."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def tokenize(tokenizer: Any, prompts: Sequence[str], device: str | torch.device = "cpu") -> Tensor:
    """Token ids, long (prompts, tokens), padded or truncated to the tokenizer's maximum length.

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
