"""What an edit changes, in words: which thing becomes what, there and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipelines.english.grammar import PRONOUNS, Number, Pronoun, with_article
from pipelines.english.language import is_english
from pipelines.english.noun_phrase import Phrase, read_phrase
from pipelines.english.subject import Subject, find_subject
from pipelines.english.swaps import swaps
from pipelines.english.tokens import tokenise, words
from pipelines.target_prompt import Kind


class Wording(NamedTuple):
    """A list of instructions.yaml, and the words for the names in its braces."""

    name: str
    fields: dict[str, str]


class Change(NamedTuple):
    """An edit in words."""

    there: Wording
    back: Wording


@dataclass(frozen=True)
class EditedPrompt:
    """The prompts of an edit and how they differ, as columns of `schema.DATASET` have them."""

    source_prompt: str
    target_prompt: str
    target_kind: Kind | None = None
    source_word: str | None = None
    target_word: str | None = None
    target_where: str | None = None
    subject: str | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "EditedPrompt":
        """Returns what a row of the dataset tells of its edit."""
        values: dict[str, Any] = {name: row.get(name) for name in cls.__dataclass_fields__}
        return cls(**values)


def find_change(edit: EditedPrompt) -> Change:
    """Return what an edit changes, by its kind and words, else by the difference of its prompts.

    Where neither can be put in words, the change is from one prompt to the other.
    """
    found = _by_kind(edit) if edit.target_kind else _by_prompts(edit)
    if found is not None:
        return found
    old, new = _sentence(edit.source_prompt), _sentence(edit.target_prompt)
    return Change(*_both_ways("prompt", old, new))


def _by_kind(edit: EditedPrompt) -> Change | None:
    source, target = edit.source_word, edit.target_word
    if not source or not target:
        return None
    if edit.target_kind == "background":
        return Change(*_both_ways("background", _place(source), _place(target)))
    if edit.target_kind == "recolour" and _are_colours(target):
        return _recoloured(edit.source_prompt, source, target)
    subject = _subject(edit, source)
    if subject is None:
        return None
    if edit.target_kind == "recolour":
        return _coloured(subject, _lower(subject, source), target.split()[0])
    if edit.target_kind == "restyle":
        return _restyled(subject, source, target)
    new = f"{_modifiers(subject)}{target}"
    return _replaced(_phrase(subject), new, subject.number, subject.number)


def _by_prompts(edit: EditedPrompt) -> Change | None:
    """Returns the change between two prompts of a user that differ in one place."""
    differences = swaps(edit.source_prompt, edit.target_prompt)
    if len(differences) != 1 or not differences[0].target:
        return None
    source, target = differences[0]
    if not source:
        coloured = _with_words(edit.target_prompt, target) if _are_colours(target) else None
        return None if coloured is None else _coloured(coloured, coloured.word, target)
    if _are_colours(source) and _are_colours(target):
        return _recoloured(edit.source_prompt, source, target)
    one = _with_words(edit.source_prompt, source)
    other = _with_words(edit.target_prompt, target)
    if one is None or other is None:
        return None
    old, new = _phrase(one), _phrase(other)
    if edit.target_where == "background":
        old, new = with_article(old, one.number), with_article(new, other.number)
        return Change(*_both_ways("background", old, new))
    return _replaced(old, new, one.number, other.number)


def _replaced(old: str, new: str, old_number: Number, new_number: Number) -> Change:
    one, other = with_article(old, old_number), with_article(new, new_number)
    is_one, is_other = _is(old_number), _is(new_number)
    return Change(
        Wording(
            "replace", {"noun": old, "old": one, "new": other, "is": is_one, "is_new": is_other}
        ),
        Wording(
            "replace", {"noun": new, "old": other, "new": one, "is": is_other, "is_new": is_one}
        ),
    )


def _recoloured(prompt: str, source: str, target: str) -> Change | None:
    """Returns the change of a colour that stands before a noun: "a woman in a green coat"."""
    tokens = tokenise(prompt)
    said = source.lower().split()
    for at in range(len(tokens)):
        if [token.word for token in tokens[at : at + len(said)]] != said:
            continue
        phrase, _ = read_phrase(tokens, at)
        first = at + len(said)
        if phrase is None or phrase.begin != at or phrase.end <= first:
            return None
        noun = prompt[tokens[first].start : tokens[phrase.end - 1].end]
        number: Number = "plural" if _is_plural(phrase, noun) else "singular"
        return Change(
            _recolour(noun, number, source, target), _recolour(noun, number, target, source)
        )
    return None


def _recolour(noun: str, number: Number, old: str, new: str) -> Wording:
    colours = {"old": old, "new": new, "a_new": with_article(new, "singular")}
    return Wording("recolour", {"noun": noun, "is": _is(number), **colours})


def _coloured(subject: Subject, noun: str, colour: str) -> Change:
    """Returns the change of a thing whose colour is not named: car → blue car."""
    fields = _agreeing(subject, noun) | {"new": colour, "a_new": with_article(colour, "singular")}
    return Change(Wording("colour", fields), Wording("uncolour", fields))


def _restyled(subject: Subject, source: str, target: str) -> Change | None:
    """Returns the change of a material or a style: dog → dog made of glass."""
    style = target.removeprefix(source).strip()
    if not style or style == target:
        return None
    modifiers = _modifiers(subject)
    noun = f"{modifiers}{source}" if modifiers else _lower(subject, source)
    fields = _agreeing(subject, noun) | {"style": style}
    made = with_article(f"{noun} {style}", subject.number)
    real = with_article(f"real {noun}", subject.number)
    return Change(
        Wording("restyle", fields | {"old": real, "new": made}),
        Wording("unstyle", fields | {"old": made, "new": real}),
    )


def _both_ways(name: str, old: str, new: str) -> tuple[Wording, Wording]:
    return Wording(name, {"old": old, "new": new}), Wording(name, {"old": new, "new": old})


def _agreeing(subject: Subject, noun: str) -> dict[str, str]:
    many = subject.number == "plural"
    person = subject.concept.root == "person" and subject.gender == "n"
    pronoun: Pronoun = "p" if many or person else subject.gender
    verbs = {"is": _is(subject.number), "has": "have" if many else "has"}
    return {"noun": noun, "its": PRONOUNS[pronoun]["possessive"], **verbs}


def _is(number: Number) -> str:
    return "are" if number == "plural" else "is"


def _is_plural(phrase: Phrase, noun: str) -> bool:
    """Whether a phrase without its determiners is plural, as far as its noun tells."""
    if phrase.sense is not None:
        return phrase.sense.numbers == ("plural",)
    return noun.endswith("s") and not noun.endswith("ss")


def _subject(edit: EditedPrompt, word: str) -> Subject | None:
    """Returns the noun of the source prompt that a word begins with, or is."""
    for named in (edit.subject, word, None):
        found = find_subject(edit.source_prompt, named)
        if found is not None and found.word.lower() in word.lower():
            return found
    return None


def _with_words(prompt: str, said: str) -> Subject | None:
    """Returns the noun of an English prompt whose phrase has all these words."""
    found = find_subject(prompt, said)
    if found is None or not is_english(found):
        return None
    inside = {token.word for token in tokenise(found.phrase)}
    return found if {token.word for token in tokenise(said)} <= inside else None


def _phrase(subject: Subject) -> str:
    return _lower(subject, subject.phrase)


def _modifiers(subject: Subject) -> str:
    """Returns the words before the noun in its phrase, with the space behind them."""
    return _phrase(subject)[: subject.start - subject.begin]


def _lower(subject: Subject, text: str) -> str:
    """Returns words of a caption as they are written within a sentence."""
    first, *others = text.split()
    begins = not subject.caption[: subject.begin].strip()
    capitals = (word for word in others if word[0].isupper())
    name = any(word.lower() not in words("origins") for word in capitals)
    if not begins or name or first[1:] != first[1:].lower() or first.lower() in words("origins"):
        return text
    return text[0].lower() + text[1:]


def _place(said: str) -> str:
    """Returns a place without its preposition, and with an article for a possessive pronoun."""
    tokens = tokenise(said)
    inner = tokens[1:] if len(tokens) > 1 and tokens[0].word in words("prepositions") else tokens
    if len(inner) > 1 and inner[0].word in words("possessive"):
        return f"the {said[inner[1].start :]}"
    return said[inner[0].start :]


def _are_colours(said: str) -> bool:
    return {token.word for token in tokenise(said)} <= words("colours") | {"and", ","}


def _sentence(prompt: str) -> str:
    """Returns a prompt in one line, without its full stop."""
    return " ".join(prompt.split()).removesuffix(".").strip()
