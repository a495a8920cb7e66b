"""English grammar around a noun: articles, plurals and pronouns."""

import re
from functools import cache
from typing import Any, Literal

Number = Literal["singular", "plural", "mass"]
"""Grammatical number of a noun in its caption: a dog, dogs, water."""
Pronoun = Literal["f", "m", "n", "p"]
"""Third-person pronouns by gender and number: she, he, it, they."""

PRONOUNS: dict[Pronoun, dict[str, str]] = {
    "f": {"subject": "she", "object": "her", "possessive": "her", "self": "herself"},
    "m": {"subject": "he", "object": "him", "possessive": "his", "self": "himself"},
    "n": {"subject": "it", "object": "it", "possessive": "its", "self": "itself"},
    "p": {"subject": "they", "object": "them", "possessive": "their", "self": "themselves"},
}
# Text after an objective "her" (him), as opposed to a possessive one (his).
_BEHIND_OBJECT = re.compile(
    r"\s*($|[^\w\s]|(?:and|as|in|on|at|to|from|with|by|while|for|of|over|under|through|into|across|"
    r"along|around|behind|near|up|down|away|off|out|the|a|an|is|are|was|were)\b)",
    re.IGNORECASE,
)
_BEFORE_SUBJECT = re.compile(
    r"(^|[^\w\s]|\b(?:as|while|when|where|and|before|after|that|because|until|if))\s*$",
    re.IGNORECASE,
)
# Corrections of plurals that inflect forms differently from everyday English.
_PLURALS = {"bison": "bison", "DJ": "DJs", "UFO": "UFOs", "TV": "TVs"}


@cache
def _engine() -> Any:
    # Type checks are disabled: typeguard parses inflect's source file for every method, which
    # delays the first clip of each worker by seconds.
    import typeguard

    checker: Any = typeguard
    checked, checker.typechecked = checker.typechecked, lambda function: function
    try:
        import inflect
    finally:
        checker.typechecked = checked
    return inflect.engine()


@cache
def plural(noun: str) -> str:
    """Return the plural of a singular noun or compound noun."""
    return _PLURALS.get(noun) or _engine().plural_noun(noun)


def with_article(noun: str, number: Number) -> str:
    """Return a noun with "a" or "an" if it is singular."""
    return str(_engine().a(noun)) if number == "singular" else noun


def replace(text: str, start: int, end: int, new: str) -> str:
    """Return `text` with the characters from `start` to `end` replaced by `new`.

    An article directly before `start` is changed to the one that `new` requires. At the beginning
    of the text, a capital letter is kept.
    """
    before, after = text[:start], text[end:]
    article = re.search(r"\b(an?)(\s+)$", before, re.IGNORECASE)
    if article:
        right = _engine().a(new).split()[0]
        right = right.capitalize() if article[1][0].isupper() else right
        before = before[: article.start()] + right + article[2]
    if not before.strip() and text[start].isupper():
        new = new[0].upper() + new[1:]
    return before + new + after


def first_pronoun(text: str) -> Pronoun | None:
    """Return the class of the first pronoun in a text, or None without a pronoun."""
    for word in re.findall(r"[a-z]+", text.lower()):
        for who, forms in PRONOUNS.items():
            if word in forms.values():
                return who
    return None


def change_pronouns(text: str, before: Pronoun, after: Pronoun, until: int) -> str | None:
    """Return `text` with pronouns of class `before` replaced by those of class `after`.

    Only pronouns that start before position `until` are replaced. Capital letters are kept.
    Returns None where verbs would have to change as well: from "it is" to "they are".
    """
    changed, at = "", 0
    cases = {word: case for case, word in PRONOUNS[before].items()}
    for match in re.finditer(rf"\b(?:{'|'.join(cases)})\b", text, re.IGNORECASE):
        if match.start() >= until:
            break
        word = match[0].lower()
        case = cases[word]
        if (before, word) == ("f", "her"):
            case = "object" if _BEHIND_OBJECT.match(text, match.end()) else "possessive"
        if (before, word) == ("n", "it"):
            begins = _BEFORE_SUBJECT.search(text[: match.start()])
            case = "subject" if begins and text[match.end() :].strip(" .,;!?") else "object"
        if case == "subject" and "p" in (before, after):
            return None
        new = PRONOUNS[after][case]
        changed += text[at : match.start()] + (new.capitalize() if match[0][0].isupper() else new)
        at = match.end()
    return changed + text[at:]
