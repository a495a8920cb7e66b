"""Where a noun belongs that nouns.yaml does not hold."""

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
"""What a noun that is not in the table is, by how it ends."""


def branch_by_ending(word: str) -> tuple[str, ...] | None:
    """The branch that a word's ending gives away."""
    return next((branch for ends, branch in ENDINGS if word.endswith(ends)), None)


def guess(word: str, rest: Sequence[Token]) -> Concept:
    """A place in the tree for a noun that is not in it, by its ending or by what it does."""
    branch = branch_by_ending(word) or (("animal",) if _acts(rest) else ("artifact",))
    return Concept(word, (*branch, word), "singular", "n", hidden=True)


def _acts(rest: Sequence[Token]) -> bool:
    """Whether what follows is something that animals do."""
    said = [token for token in rest[:3] if token.word not in words("auxiliaries")]
    return bool(said) and is_act(said[0].word)
