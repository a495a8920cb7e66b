"""Taxonomy of everyday nouns, read from nouns.yaml, with the tree distance of two nouns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pipelines.english.grammar import Number, plural
from pipelines.english.word_lists import read_list

Gender = Literal["f", "m", "n"]
"""Female, male, or neuter; "n" also covers people whose sex is not stated."""
BRANCH = "is"
"""Key in nouns.yaml of the nouns that name the branch itself."""


@dataclass(frozen=True)
class Concept:
    """A set of words that are too similar to be swapped for one another."""

    name: str
    """The first of the words, which is used as a replacement."""
    path: tuple[str, ...]
    """Branches from the root to the concept, then its name. The name of a branch has the path of
    the branch."""
    number: Number
    """Grammatical number of the name; "singular" if the name has both numbers."""
    gender: Gender
    hidden: bool
    """Whether the concept is excluded from replacements."""

    @property
    def root(self) -> str:
        return self.path[0]

    def includes(self, other: "Concept") -> bool:
        """Whether `other` is the same concept, or lies in the branch that this concept names."""
        return other.path[: len(self.path)] == self.path


@dataclass(frozen=True)
class Sense:
    """The meaning of one written form of a word."""

    concept: Concept
    numbers: tuple[Number, ...]
    """Possible grammatical numbers; several for words such as "sheep"."""
    gender: Gender


class Taxonomy:
    """All concepts in order, and the senses of all written forms of their words.

    Args:
        tree: branches by name. Leaves and `BRANCH` hold noun lists in the format of nouns.yaml.
    """

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.concepts: list[Concept] = []
        self.senses: dict[str, Sense] = {}
        plurals: list[tuple[str, Sense]] = []
        for path, entry in _entries(tree, ()):
            words = [_marked(word) for word in entry.split("=")]
            name, marks = words[0]
            of_branch = path[-1] == BRANCH
            own_path = path[:-1] if of_branch else (*path, name)
            hidden = of_branch or "hidden" in marks
            concept = Concept(name, own_path, _number(marks), _gender(marks), hidden)
            self.concepts.append(concept)
            for word, own in words:
                sense = Sense(concept, (_number(own),), _gender(own))
                self.senses.setdefault(word.lower(), sense)
                if "plural" not in own:
                    plurals.append((plural(word).lower(), sense))
        for word, sense in plurals:
            known = self.senses.get(word)
            if known is None:
                self.senses[word] = Sense(sense.concept, ("plural",), sense.gender)
            elif known == sense and known.numbers == ("singular",):  # two sheep
                self.senses[word] = Sense(known.concept, ("singular", "plural"), known.gender)
        self.longest = max(len(word.split()) for word in self.senses)

    def longest_match(self, words: Sequence[str]) -> tuple[int, Sense] | None:
        """Return the length in words and the sense of the longest noun at the start of `words`.

        `words` are in lower case. Returns None if they begin with no known noun.
        """
        for length in range(min(self.longest, len(words)), 0, -1):
            sense = self.senses.get(" ".join(words[:length]))
            if sense:
                return length, sense
        return None


def distance(one: Concept, other: Concept) -> int:
    """Number of tree edges between two concepts: 2 for siblings, 0 for the same concept."""
    shared = 0
    for here, there in zip(one.path, other.path, strict=False):
        if here != there:
            break
        shared += 1
    return len(one.path) + len(other.path) - 2 * shared


@cache
def taxonomy() -> Taxonomy:
    """Return the taxonomy of the packaged nouns.yaml."""
    return Taxonomy(read_list("nouns.yaml"))


def _entries(
    tree: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path of the leaf and the words of every concept, in order."""
    for name, below in tree.items():
        if isinstance(below, str):
            yield from (((*path, name), entry) for entry in below.split(","))
        else:
            yield from _entries(below, (*path, name))


def _marked(text: str) -> tuple[str, list[str]]:
    word, *marks = text.strip().split("/")
    return word, marks


def _number(marks: Sequence[str]) -> Number:
    return "mass" if "mass" in marks else "plural" if "plural" in marks else "singular"


def _gender(marks: Sequence[str]) -> Gender:
    return "f" if "f" in marks else "m" if "m" in marks else "n"
