"""Everyday nouns as a tree, from nouns.yaml: what a word names, and how far two nouns are apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pipelines.english.grammar import Number, plural
from pipelines.english.word_lists import read_list

Gender = Literal["f", "m", "n"]
"""She, he; it, or of people: not said."""
BRANCH = "is"
"""The key in nouns.yaml of what names the branch itself."""


@dataclass(frozen=True)
class Concept:
    """Words that are too alike to be swapped for one another."""

    name: str
    """The first of the words: the one that is proposed."""
    path: tuple[str, ...]
    """The branches that lead to it, and itself at the end; of a branch's name: to the branch."""
    number: Number
    """Of the name: "singular" where it has both numbers."""
    gender: Gender
    hidden: bool
    """Never proposed."""

    @property
    def root(self) -> str:
        return self.path[0]

    def includes(self, other: "Concept") -> bool:
        """Whether `other` is this, or a part of the branch that this names."""
        return other.path[: len(self.path)] == self.path


@dataclass(frozen=True)
class Sense:
    """What a word stands for as it is written."""

    concept: Concept
    numbers: tuple[Number, ...]
    """More than one of words such as "sheep"."""
    gender: Gender


class Taxonomy:
    """All concepts in order, and what every written form of their words names.

    Args:
        tree: branches by name; leaves and `BRANCH` are texts of nouns, as nouns.yaml explains.
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
        """The longest noun that `words`, in lower case, begin with: its length and its sense."""
        for length in range(min(self.longest, len(words)), 0, -1):
            sense = self.senses.get(" ".join(words[:length]))
            if sense:
                return length, sense
        return None


def distance(one: Concept, other: Concept) -> int:
    """Steps along the tree from one to the other: 2 for neighbours, 0 for the same."""
    shared = 0
    for here, there in zip(one.path, other.path, strict=False):
        if here != there:
            break
        shared += 1
    return len(one.path) + len(other.path) - 2 * shared


@cache
def taxonomy() -> Taxonomy:
    """The packaged one."""
    return Taxonomy(read_list("nouns.yaml"))


def _entries(
    tree: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every concept's words with the path of its leaf, in order."""
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
