"""Decide whether a caption is English that the grammar of this package can change."""

import unicodedata
from functools import cache

from pipelines.english.subject import Subject
from pipelines.english.taxonomy import taxonomy
from pipelines.english.tokens import Token, is_participle, is_verb, tokenise, words

LEAST_KNOWN = 0.45
"""Share of known words from which a caption is English. Of 300 captions of stock footage the least
share is 0.5; of sentences in other languages with English homographs, 0.4 is the largest seen."""
LEAST_KNOWN_UNNAMED = 0.3
"""The same for a caption whose subject is in no list, without words of several languages."""
_LISTS = (
    *("singular", "plural", "determiners", "pronouns", "prepositions", "conjunctions"),
    *("auxiliaries", "adverbs", "parts", "frames", "adjectives", "origins", "attributes"),
    "colours",
)


def is_english(subject: Subject) -> bool:
    """Whether the caption of a subject reads as English.

    Counts the words that the lists of this package know against function words of other languages
    and letters that English does not use. Names, in capitals within a sentence, do not count.
    """
    counted = [token for token in tokenise(subject.caption) if _counts(subject.caption, token)]
    known = [token.word for token in counted if _is_known(token.word)]
    foreign = sum(_is_foreign(token.word) for token in counted)
    if 2 * foreign > len(known):
        return False
    if subject.concept in taxonomy().concepts:
        return len(known) >= LEAST_KNOWN * len(counted)
    certain = [word for word in known if word not in words("shared")]
    return len(certain) >= LEAST_KNOWN_UNNAMED * len(counted)


def _counts(caption: str, token: Token) -> bool:
    """Whether a token is a word, and no name or number."""
    begins = not caption[: token.start].strip() or caption[: token.start].rstrip()[-1] in ".!?"
    return token.text[0].isalpha() and (begins or not token.text[0].isupper())


def _is_known(word: str) -> bool:
    if word in words("foreign"):
        return False
    common = any(word in words(name) for name in _LISTS)
    formed = word.isascii() and (is_participle(word) or (len(word) > 4 and word.endswith("ly")))
    return common or formed or word in _parts_of_nouns() or is_verb(word)


def _is_foreign(word: str) -> bool:
    plain = unicodedata.normalize("NFD", word).encode("ascii", "ignore").decode()
    borrowed = plain in _parts_of_nouns()  # café
    return word in words("foreign") or not (word.isascii() or "’" in word or borrowed)


@cache
def _parts_of_nouns() -> frozenset[str]:
    return frozenset(part for noun in taxonomy().senses for part in noun.split())
