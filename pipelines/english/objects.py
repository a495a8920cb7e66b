"""Find the objects that a caption names: its subject, and what else an edit could change."""

from pipelines.english.subject import (
    Subject,
    find_subject,
    later_mentions,
    phrases_of,
    subject_of,
)
from pipelines.english.tokens import tokenise, words

SURROUNDINGS = ("place", "pattern", "nature", "body")
"""Branches of nouns for what is no object of its own in a clip: a beach, dots, the sky, a hand."""


def is_named_once(caption: str, words: str) -> bool:
    """Whether exactly one noun phrase of a caption has all these words."""
    tokens = tokenise(caption)
    wanted = {token.word for token in tokenise(words)}
    phrases = ({t.word for t in tokens[p.begin : p.end]} for p in phrases_of(tokens))
    return sum(wanted <= phrase for phrase in phrases) == 1


def objects_of(caption: str, named: str | None = None) -> list[Subject]:
    """Return the objects of a caption, the subject first, the others in the caption's order.

    Others than the subject are known nouns in the singular. An object is left out if its words
    would be taken for an earlier phrase of the caption.

    Args:
        caption: an English text.
        named: the words of the subject. None: the first object.

    Returns:
        Empty if no noun phrase is found.
    """
    first = find_subject(caption, named)
    if first is None:
        return []
    found = [first]
    tokens = tokenise(caption)
    for phrase in phrases_of(tokens):
        other = subject_of(caption, tokens, phrase)
        known = phrase.sense is not None and other.concept.root not in SURROUNDINGS
        group = tokens[phrase.end - 1].word in words("parts")  # a group of dogs
        if not known or group or other.number != "singular":
            continue
        taken = {start for each in found for _, start, _ in later_mentions(each)}
        meant = find_subject(caption, other.phrase)
        if meant and meant.start == other.start and other.start not in {first.start, *taken}:
            found.append(other)
    return found
