"""What an edit changes, in words: which thing becomes what, there and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from pipelines.english.grammar import PRONOUNS, Pronoun, with_article
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
    target_kind: Kind | Literal["several"] | None = None
    source_word: str | None = None
    target_word: str | None = None
    target_where: str | None = None
    subject: str | None = None
    edits: Sequence[Mapping[str, Any]] = ()
    """The edits of several objects, as `schema.EDIT`."""

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "EditedPrompt":
        """Returns what a row of the dataset tells of its edit, each text in one line."""
        texts = {name: row.get(name) for name in cls.__dataclass_fields__ if name != "edits"}
        values: dict[str, Any] = {n: text and " ".join(text.split()) for n, text in texts.items()}
        return cls(**values, edits=row.get("edits") or ())

    @property
    def parts(self) -> "list[EditedPrompt]":
        """The edit of each object, with the prompts of the whole; of one object, the edit."""
        return [
            replace(
                self,
                target_kind=each["kind"],
                source_word=each["source_word"],
                target_word=each["target_word"],
                target_where=each["where"],
                subject=each["words"],
                edits=(),
            )
            for each in self.edits
        ] or [self]


def find_change(edit: EditedPrompt) -> Change:
    """Return what an edit changes, by its kind and words, else by the difference of its prompts.

    Where neither can be put in words, the change is from one prompt to the other.
    """
    found = _by_kind(edit) if edit.target_kind else _by_prompts(edit)
    if found is not None:
        return found
    old, new = (text.removesuffix(".").strip() for text in (edit.source_prompt, edit.target_prompt))
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
    return _replaced(_noun(subject), Noun(new, with_article(new, subject.number)))


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
    old, new = _noun(one), _noun(other)
    if edit.target_where == "background":
        return Change(*_both_ways("background", old.introduced, new.introduced))
    return _replaced(old, new)


class Noun(NamedTuple):
    """A noun with its modifiers."""

    bare: str
    introduced: str
    """With the article that it has where it is new: a red car, red cars, the Eiffel Tower."""


def _noun(subject: Subject) -> Noun:
    bare = _phrase(subject)
    before = subject.caption[: subject.begin].split()
    if subject.word.split()[-1].istitle() and (before or " " in bare):  # the name of one thing
        definite = before and before[-1].lower() == "the"
        return Noun(bare, f"the {bare}" if definite else bare)
    return Noun(bare, with_article(bare, subject.number))


def _replaced(old: Noun, new: Noun) -> Change:
    return Change(_replace(old, new), _replace(new, old))


def _replace(old: Noun, new: Noun) -> Wording:
    ends = {"old": old.introduced, "new": new.introduced}
    return Wording("replace", {"noun": old.bare, **ends})


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
        thing = {"noun": noun, "is": "are" if _is_plural(phrase, noun) else "is"}
        return Change(_recolour(thing, source, target), _recolour(thing, target, source))
    return None


def _recolour(thing: dict[str, str], old: str, new: str) -> Wording:
    colours = {"old": old, "new": new, "a_new": with_article(new, "singular")}
    return Wording("recolour", thing | colours)


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
    verbs = {"is": "are", "has": "have"} if many else {"is": "is", "has": "has"}
    return {"noun": noun, "its": PRONOUNS[pronoun]["possessive"], **verbs}


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
