"""The instruction that a captioning model gets, and the check of its answer."""

import re
from collections.abc import Callable

from pipelines.config.sections import Captions
from pipelines.english.subject import find_subject
from pipelines.english.tokens import tokenise
from pipelines.errors import Rejected
from pipelines.vision_language.checked_answer import WrongAnswer, checked_answer

INSTRUCTION = (
    "These are frames of one video in order. Say in one plain English sentence what it shows: "
    "the main subject first, then what it does and where. Name concrete things that can be seen. "
    "Answer with the sentence alone."
)
_QUOTES = "\"'“”‘’«»"
_VIDEO = r"(?:video|clip|footage|recording)s?"
_RECORDING = r"(?:video|clip|footage|film|recording|scene|image|picture|photo|frame|sequence)s?"
_SHOWS = re.compile(
    rf"(?:(?:in\s)?(?:the|this|these|a|an)\s(?:[\w-]+\s)?{_RECORDING}\s"
    r"(?:shows?|showing|depicts?|depicting|captures?|features?|presents?|displays?)\s"
    rf"|(?:the|this|a)\s(?:[\w-]+\s)?{_VIDEO}\sof\s"
    rf"|in\s(?:the|this|these)\s(?:[\w-]+\s)?{_RECORDING},?\s(?:we\s(?:can\s)?see\s)?)"
    r"(?!(?:that|how|what|where|who|us)\b)",
    re.IGNORECASE,
)
"""A preamble that is removed, because a sentence or a noun phrase follows."""
_PREAMBLE = re.compile(
    r"(?:sure|certainly|of course|absolutely|okay|ok|yes|no problem)\b"
    r"|here(?:['’]s|\s(?:is|are))\b|(?:\w+\s){0,3}\w+\s?:(?=\s|$)"
    rf"|(?:the|this|these)\s(?:[\w-]+\s)?{_RECORDING}\b",
    re.IGNORECASE,
)
_OF_ITSELF = re.compile(
    r"\b(?:I|I['’]\w+|[Ss]orry|[Aa]s an AI|(?:[Cc]annot|[Cc]an['’]t|[Uu]nable to) (?:be )?"
    r"(?:see|view|watch|access|process|analy[sz]e|describe|determine|identify|help|assist|provide)d?"
    r")\b"
)
_MARKUP = re.compile(r"[*#`<>{}\[\]|_~\\]|https?:|^(?:[-•]|\d+[.)])\s")
_END = re.compile(r"[.!?…]+[\"'”’)]*(?=\s|$)")


def ask_for_caption(ask: Callable[[str], str], captions: Captions) -> str:
    """Ask a model for a caption. A wrong answer is requested a second time, with the reason.

    Args:
        ask: sends an instruction about the clip to the model and returns the answer.

    Raises:
        Rejected: `BadCaption`, the second answer is wrong, too.
    """
    try:
        return checked_answer(ask, INSTRUCTION, lambda answer: check(answer, captions))
    except WrongAnswer as wrong:
        raise Rejected(
            "BadCaption", f"the model answered {wrong.shown}, twice no caption: {wrong.reason}"
        ) from None


def check(answer: str, captions: Captions) -> str:
    """Extract the caption from an answer: remove quotes, and a preamble like "The video shows".

    Raises:
        WrongAnswer: the answer is not exactly one whole sentence with a subject, of a length within
            `captions`.
    """
    text = _without_preamble(" ".join(answer.split()).strip(_QUOTES + " "))
    reason = _wrong(text, captions)
    if reason is not None:
        raise WrongAnswer(answer, reason)
    return text


def _without_preamble(text: str) -> str:
    rest = text[shows.end() :] if (shows := _SHOWS.match(text)) else text
    return rest[:1].upper() + rest[1:]


def _wrong(text: str, captions: Captions) -> str | None:
    count = len([token for token in tokenise(text) if token.is_word])
    ends = [match.group() for match in _END.finditer(text)]
    opening = _PREAMBLE.match(text)
    if not text:
        return "it is empty."
    if _OF_ITSELF.search(text):
        return "it speaks of the one who answers."
    if _MARKUP.search(text):
        return "it has markup in it."
    if opening:
        return f"it begins with {opening.group()!r}, not with the subject."
    if not text.endswith("."):
        return "it does not end with a full stop."
    if ends != ["."]:
        return "it is not exactly one sentence."
    if not captions.min_words <= count <= captions.max_words:
        return f"it has {count} words, not {captions.min_words} to {captions.max_words}."
    if find_subject(text) is None:
        return "it names no subject."
    return None
