"""The words that a target prompt replaces in its source prompt."""

from difflib import SequenceMatcher
from typing import NamedTuple

from pipelines.english.tokens import tokenise

ARTICLES = frozenset(("a", "an", "the"))


class Swap(NamedTuple):
    """Words of the source prompt, and the words in their place. One of the two may be empty."""

    source: str
    target: str


def swaps(source_prompt: str, target_prompt: str) -> list[Swap]:
    """Compare two prompts word by word, without articles, case and punctuation.

    Returns:
        The differences, in order. No swap if the prompts have the same words.
    """
    source, target = content_words(source_prompt), content_words(target_prompt)
    matcher = SequenceMatcher(None, source, target, autojunk=False)
    return [
        Swap(" ".join(source[i:j]), " ".join(target[k:m]))
        for kind, i, j, k, m in matcher.get_opcodes()
        if kind != "equal"
    ]


def content_words(prompt: str) -> list[str]:
    """Returns the words of a prompt in lower case, without articles and punctuation."""
    words = (token.text.lower() for token in tokenise(prompt) if token.is_word)
    return [word for word in words if word not in ARTICLES]
