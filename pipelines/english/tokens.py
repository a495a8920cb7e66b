"""Tokenise captions and classify words by the lists of words.yaml."""

import re
from dataclasses import dataclass
from functools import cache

from pipelines.english.word_lists import read_list

_WORD = re.compile(r"\w+(?:[-'’]\w+)*(?:(?<=s)['’](?!\w))?|[^\w\s]")
_POSSESSIVE = re.compile(r"['’]s$|(?<=s)['’]$")


@dataclass(frozen=True)
class Token:
    """A word or punctuation mark, with its character offsets in the caption."""

    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The text in lower case, without a possessive ending."""
        return _POSSESSIVE.sub("", self.text.lower())

    @property
    def possessive(self) -> bool:
        return bool(_POSSESSIVE.search(self.text)) and self.word != "it"

    @property
    def is_word(self) -> bool:
        return self.text[0].isalnum()


def tokenise(caption: str) -> list[Token]:
    """Return the words and punctuation marks of a caption, in order."""
    return [Token(m[0], m.start(), m.end()) for m in _WORD.finditer(caption)]


def whole_words(text: str) -> re.Pattern[str]:
    """Return a pattern of a text that does not begin or end within a word, in any case."""
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE)


@cache
def words(name: str) -> frozenset[str]:
    """Return the words of a list in words.yaml."""
    return frozenset(read_list("words.yaml")[name].split())


def is_determiner(token: Token) -> bool:
    return (
        token.word in words("singular") | words("plural") | words("determiners")
        or token.word.isdigit()
    )


def is_verb(word: str) -> bool:
    """Whether a word is a form of a listed verb: base, -s, -ed or -ing."""
    return _is_form(word, words("verbs") | words("acts"))


def is_act(word: str) -> bool:
    """Whether a word is a form of a verb for an action of animals."""
    return _is_form(word, words("acts"))


def _is_form(word: str, known: frozenset[str]) -> bool:
    stems = [word]
    for ending in ("s", "es", "ed", "d", "ing"):
        if word.endswith(ending):
            stem = word.removesuffix(ending)
            stems += [stem, f"{stem}e", stem[:-1]]  # walk-s, glid-ing, runn-ing
    if word.endswith(("ies", "ied")):
        stems.append(f"{word[:-3]}y")
    return any(stem in known for stem in stems)


def is_participle(word: str) -> bool:
    """Whether a word has the form of a participle: running, parked."""
    return len(word) > 4 and word.endswith(("ing", "ed"))


def ends_phrase(token: Token) -> bool:
    """Whether a noun phrase ends before this word or punctuation mark."""
    lists = ("prepositions", "conjunctions", "auxiliaries", "pronouns")
    start, body, rest = token.word.partition("body")
    indefinite = bool(body) and not rest and start in words("indefinite")
    return not token.is_word or indefinite or any(token.word in words(name) for name in lists)
