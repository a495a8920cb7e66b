"""Find the subject of a caption: its first noun phrase for an object, or a given phrase."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipelines.english.grammar import Number, Pronoun, first_pronoun
from pipelines.english.noun_phrase import Phrase, read_phrase
from pipelines.english.taxonomy import Concept, Gender, Sense, taxonomy
from pipelines.english.tokens import Token, is_determiner, is_participle, is_verb, tokenise, words
from pipelines.english.unknown_noun import guess


@dataclass(frozen=True)
class Subject:
    """The subject noun of a caption. Positions are character offsets, with exclusive ends."""

    caption: str
    begin: int
    """Start of the modifiers of the noun, after the determiner."""
    start: int
    """Start of the noun."""
    end: int
    """End of the noun, without a possessive ending."""
    concept: Concept
    number: Number
    gender: Gender

    @property
    def word(self) -> str:
        return self.caption[self.start : self.end]

    @property
    def phrase(self) -> str:
        """The noun with its modifiers: "big brown dog"."""
        return self.caption[self.begin : self.end]

    @property
    def says_sex(self) -> bool:
        """Whether a modifier, which an edit keeps, states the sex: "a female dancer"."""
        modifiers = self.caption[self.begin : self.start].lower().split()
        return "male" in modifiers or "female" in modifiers

    @property
    def pronoun(self) -> Pronoun | None:
        """The pronoun class that the caption uses for the noun, or None."""
        first = first_pronoun(self.caption[self.end :])
        if self.gender != "n":
            return self.gender
        if self.concept.root == "person":
            return first if first != "n" else None
        return first if first == "n" or self.concept.root == "animal" else None

    def until_another(self, pronoun: Pronoun) -> int:
        """Length in characters of the text after the noun in which `pronoun` must refer to it.

        The text ends at the next noun of the same sex that does not speak of the subject.
        """
        rest = self.caption[self.end :]
        if pronoun not in ("f", "m"):
            return len(rest)
        own = [start - self.end for _, start, _ in later_mentions(self)]
        others = (token.start for token, sense in _senses(rest) if sense.gender == pronoun)
        return next((start for start in others if start not in own), len(rest))


def find_subject(caption: str, named: str | None = None) -> Subject | None:
    """Return the subject of a caption, or None if no noun phrase is found.

    Args:
        caption: an English text.
        named: a noun phrase of the caption that replaces the default, the first object.
    """
    tokens = tokenise(caption)
    if named is not None:
        phrase = _named(tokens, tokenise(named))
    else:
        opening = _opening(tokens)
        phrase = _first_thing(tokens, opening)
        if phrase is None and opening:
            phrase = _first_thing(tokens, 0)
    return None if phrase is None else subject_of(caption, tokens, phrase)


def later_mentions(subject: Subject) -> list[tuple[int, int, int]]:
    """Return the definite phrases after the subject that speak of it: "A dog runs. The dog barks."

    None are returned if the caption names another of the same kind: "a dog chases a white dog".

    Returns:
        Begin of the phrase with its determiner, start of its noun, and end, in characters.
    """
    tokens = tokenise(subject.caption)
    definite = words("definite")
    found = []
    for phrase in phrases_of(tokens):
        first, last = tokens[phrase.head], tokens[phrase.end - 1]
        start, end = first.start, last.start + len(last.word)
        if end == subject.end:
            definite |= words("possessive") & {*phrase.determiners}  # the man's dog, again
        if start < subject.end:
            continue
        word = subject.caption[start:end].lower()
        if phrase.sense is None:
            same = word == subject.word.lower()
        else:
            same = phrase.sense.concept == subject.concept
            same = same and subject.number in phrase.sense.numbers
        if not same:
            continue
        if not definite & {*phrase.determiners}:
            return []
        found.append((tokens[phrase.begin - 1].start, start, end))
    return sorted(found + _as_owner(subject, tokens))


def _as_owner(subject: Subject, tokens: Sequence[Token]) -> list[tuple[int, int, int]]:
    """Return the later mentions of the subject as a possessor: "the dog's tail"."""
    return [
        (before.start, token.start, token.start + len(token.word))
        for before, token in pairwise(tokens)
        if token.start >= subject.end
        and token.possessive
        and token.word == subject.word.lower()
        and before.word in words("definite")
    ]


def nouns_of(caption: str) -> list[Concept]:
    """Return the concepts of all known nouns in a caption, in order."""
    return [sense.concept for _, sense in _senses(caption)]


def _senses(text: str) -> Iterator[tuple[Token, Sense]]:
    tokens = tokenise(text)
    said = [token.word for token in tokens]
    at = 0
    while at < len(tokens):
        match = taxonomy().longest_match(said[at : at + taxonomy().longest])
        if match:
            yield tokens[at], match[1]
        at += match[0] if match else 1


def _opening(tokens: Sequence[Token]) -> int:
    """Return the token at which the main clause begins: "In a kitchen, a chef …"."""
    if not tokens or not _leads_in(tokens):
        return 0
    comma = next((at for at, token in enumerate(tokens) if token.text == ","), None)
    if comma is not None:
        return comma + 1
    if tokens[0].word not in words("prepositions"):
        return 0
    phrase, at = read_phrase(tokens, 1)
    if phrase is not None and at + 1 < len(tokens):
        if is_determiner(tokens[at]):
            return at
        if is_verb(tokens[at].word) and is_determiner(tokens[at + 1]):
            return at + 1
    return 0


def _leads_in(tokens: Sequence[Token]) -> bool:
    first = tokens[0].word
    if first in words("prepositions"):
        return True
    behind = tokens[1] if len(tokens) > 1 else None
    followed = behind is not None and (
        behind.word in words("prepositions") | words("adverbs") or is_determiner(behind)
    )
    return is_participle(first) and followed


def _named(tokens: Sequence[Token], name: Sequence[Token]) -> Phrase | None:
    """Return the first phrase with all words of `name`, else the first with its last word."""
    wanted = {token.word for token in name if not is_determiner(token)}
    phrases = list(phrases_of(tokens))
    for words_of in (wanted, {name[-1].word} if name else set()):
        for phrase in phrases:
            if words_of and words_of <= {t.word for t in tokens[phrase.begin : phrase.end]}:
                return phrase
    return None


def phrases_of(tokens: Sequence[Token], start: int = 0) -> Iterator[Phrase]:
    at = start
    while at < len(tokens):
        phrase, behind = read_phrase(tokens, at)
        at = max(behind, at + 1)
        if phrase is not None:
            yield phrase


def _first_thing(tokens: Sequence[Token], start: int) -> Phrase | None:
    """Return the first phrase that names an object.

    Skips a part or group ("a group of dogs") and, if a known noun follows, an unknown noun with
    "of" ("the beauty of a rose").
    """
    unknown = None
    for phrase in phrases_of(tokens, start):
        of = phrase.end < len(tokens) and tokens[phrase.end].word == "of"
        if phrase.sense is None and of and unknown is None:
            unknown = phrase  # "the beauty of a rose"
        elif not (of and tokens[phrase.end - 1].word in words("parts")):
            return unknown if unknown and phrase.sense is None else phrase
    return unknown


def subject_of(caption: str, tokens: Sequence[Token], phrase: Phrase) -> Subject:
    first, last = tokens[_name_start(tokens, phrase)], tokens[phrase.end - 1]
    begin = tokens[phrase.begin].start
    end = last.start + len(last.word)
    rest = tokens[phrase.end :]
    word = caption[first.start : end]
    gender: Gender = "n"
    if phrase.sense is None:
        concept, number = guess(word.lower(), rest), _guess_number(phrase, last)
    else:
        many = phrase.begin > 0 and tokens[phrase.begin - 1].word == "of"  # a flock of sheep
        concept, number = phrase.sense.concept, _number(phrase, rest, many)
        gender = phrase.sense.gender
    return Subject(caption, begin, first.start, end, concept, number, gender)


def _name_start(tokens: Sequence[Token], phrase: Phrase) -> int:
    """Return the first token of the noun, including a proper name: "the Eiffel Tower"."""
    at = phrase.head
    while at > max(phrase.begin, 1) and tokens[at].text[0].isupper():
        before = tokens[at - 1]
        if not before.text[0].isupper() or before.word in words("origins"):
            break
        at -= 1
    return at


def _number(phrase: Phrase, rest: Sequence[Token], many: bool) -> Number:
    assert phrase.sense is not None
    numbers = phrase.sense.numbers
    if numbers == ("mass",):  # "a coffee"
        return "singular" if {"a", "an", "one"} & {*phrase.determiners} else "mass"
    if len(numbers) == 1 or phrase.plural or many:
        return numbers[-1]
    number = "singular" if phrase.singular else _number_of_verb(rest)
    return number or ("singular" if phrase.determiners == ("the",) else "plural")


def _number_of_verb(rest: Sequence[Token]) -> Number | None:
    """Return the number that the verb of a noun states, from the text after the noun.

    None without a finite verb in the clause: "the sheep on a hill".
    """
    for at, token in enumerate(rest):
        if token.word in ("is", "was", "has"):
            return "singular"
        if token.word in ("are", "were", "have"):
            return "plural"
        if at == 0 and is_verb(token.word) and not is_participle(token.word):
            return "singular" if token.word.endswith("s") else "plural"
        relative = token.word in ("that", "which", "who", "while", "when", "as", "because")
        if not token.is_word or (relative and at > 0):
            break
    return None


def _guess_number(phrase: Phrase, last: Token) -> Number:
    many = last.word.endswith("s") and not last.word.endswith(("ss", "us"))
    return "plural" if phrase.plural or (many and not phrase.singular) else "singular"
