"""Text conditions of backbones, as the pipelines of diffusers compute them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from strmatch.inputs import tokenize

Encode = Callable[[Any, Any, str, torch.device], Tensor]
"""Maps tokenizer, text encoder, prompt and device to a condition (1, tokens, d)."""
UMT5_TOKENS = 512
"""Length of Wan's text conditions."""
T5_TOKENS = 226
"""Length of CogVideoX's text conditions."""


def encode_clip(tokenizer: Any, encoder: Any, prompt: str, device: torch.device) -> Tensor:
    """The last hidden state of CLIP's text encoder."""
    hidden: Tensor = encoder(tokenize(tokenizer, [prompt], device))[0]
    return hidden


def clean_umt5(prompt: str) -> str:
    """The prompt as umT5 reads it for Wan: repaired, unescaped and with single spaces."""
    from diffusers.pipelines.wan.pipeline_wan import prompt_clean

    cleaned: str = prompt_clean(prompt)
    return cleaned


def encode_umt5(tokenizer: Any, encoder: Any, prompt: str, device: torch.device) -> Tensor:
    """Wan's condition: umT5 reads the cleaned prompt, and padding is zero."""
    tokens = _padded(tokenizer, clean_umt5(prompt), UMT5_TOKENS).to(device)
    hidden: Tensor = encoder(tokens.input_ids, tokens.attention_mask)[0]
    return hidden * tokens.attention_mask[..., None].to(hidden.dtype)


def encode_t5(tokenizer: Any, encoder: Any, prompt: str, device: torch.device) -> Tensor:
    """CogVideoX's condition: T5 reads the prompt and its padding."""
    hidden: Tensor = encoder(_padded(tokenizer, prompt, T5_TOKENS).input_ids.to(device))[0]
    return hidden


class Text(NamedTuple):
    """How prompts are read by a class of text encoders."""

    tokenizer: str
    """Tokenizer class of transformers."""
    encode: Encode
    words: int | None
    """Number of tokens of a prompt that are read. None: the tokenizer's length without the marks of
    begin and end."""
    clean: Callable[[str], str] = str
    """What `encode` does to a prompt before tokens are made."""


TEXTS = {
    "CLIPTextModel": Text("CLIPTokenizer", encode_clip, None),
    "UMT5EncoderModel": Text("AutoTokenizer", encode_umt5, UMT5_TOKENS - 1, clean_umt5),
    "T5EncoderModel": Text("AutoTokenizer", encode_t5, T5_TOKENS - 1),
}
"""Text encoders by their class in transformers."""


def token_positions(tokenizer: Any, text: Text, prompt: str, start: int, end: int) -> slice:
    """Positions in a text condition of the tokens of a part of the prompt.

    Args:
        tokenizer, text: of the text encoder.
        prompt: any text.
        start, end: the part prompt[start:end], which begins and ends where words do.
    """

    def tokens_before(place: int) -> int:
        ids = tokenizer(text.clean(prompt[:place]).strip(), verbose=False).input_ids
        return len(ids) - 1  # all tokenizers add the mark of the end

    return slice(tokens_before(start), tokens_before(end))


def unread(tokenizer: Any, prompt: str, words: int | None) -> str | None:
    """The end of a prompt that is beyond the length of its text encoder, or None.

    Args:
        tokenizer: the text encoder's.
        prompt: any text.
        words: see `Text.words`.
    """
    words = tokenizer.model_max_length - 2 if words is None else words
    beyond = tokenizer(prompt, add_special_tokens=False, verbose=False).input_ids[words:]
    return tokenizer.decode(beyond).strip() if beyond else None


def _padded(tokenizer: Any, prompt: str, length: int) -> Any:
    return tokenizer(
        [prompt], padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    )
