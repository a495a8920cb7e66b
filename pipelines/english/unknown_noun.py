"""Classify nouns that are not in nouns.yaml."""

from collections.abc import Sequence

from pipelines.english.taxonomy import Concept
from pipelines.english.tokens import Token, is_act, words

ENDINGS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("berry", "berries"), ("food", "fruit")),
    (("fish",), ("animal", "fish and the like")),
    (("bird", "birds"), ("animal", "bird")),
    (("saurus", "sauruses"), ("animal", "reptile and frog")),
    (
        (
            *("man", "men", "woman", "women", "person", "people", "er", "ers", "or", "ors"),
            *("ist", "ists", "ian", "ians", "eer", "eers"),
        ),
        ("person", "work"),
    ),
)
"""Noun endings, each with the branch that they indicate."""


def branch_by_ending(word: str) -> tuple[str, ...] | None:
    """Return the branch that the ending of a word indicates, or None."""
    return next((branch for ends, branch in ENDINGS if word.endswith(ends)), None)


def guess(word: str, rest: Sequence[Token]) -> Concept:
    """Return a concept for a noun outside the taxonomy.

    The branch follows from the ending of the noun, else from the verb after it in `rest`.
    """
    branch = branch_by_ending(word) or (("animal",) if _acts(rest) else ("artifact",))
    return Concept(word, (*branch, word), "singular", "n", hidden=True)


def _acts(rest: Sequence[Token]) -> bool:
    """Whether the next word, after auxiliaries, is a verb for an action of animals."""
    said = [token for token in rest[:3] if token.word not in words("auxiliaries")]
    return bool(said) and is_act(said[0].word)
