"""Find the noun phrases of a caption and their head nouns."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.english.taxonomy import Sense, taxonomy
from pipelines.english.tokens import (
    Token,
    ends_phrase,
    is_determiner,
    is_participle,
    is_verb,
    words,
)
from pipelines.english.unknown_noun import branch_by_ending

ANIMATE = ("person", "animal")
CLAUSE = frozenset({"it", "them", "him", "her", "then"})
"""Words by which a clause follows a conjunction or comma, and no adjective."""


@dataclass(frozen=True)
class Phrase:
    """A noun phrase as token positions. Ends are exclusive."""

    determiners: tuple[str, ...]
    begin: int
    """Position of the first token after the determiners."""
    head: int
    """Position of the first token of the head noun, which may be a compound."""
    end: int
    """End of the head noun and of the phrase."""
    sense: Sense | None
    """Sense of the head noun; None for a noun that is not in the taxonomy."""

    @property
    def singular(self) -> bool:
        """Whether a determiner marks the phrase as singular."""
        return _is_one(self.determiners)

    @property
    def plural(self) -> bool:
        """Whether a determiner marks the phrase as plural."""
        return any(word in words("plural") or word.isdigit() for word in self.determiners)


def _is_one(determiners: Sequence[str]) -> bool:
    return any(word in words("singular") for word in determiners)


def read_phrase(tokens: Sequence[Token], start: int) -> tuple[Phrase | None, int]:
    """Return the noun phrase at `start`, or None, and the position to continue from.

    Verbs and words about the recording ("the video shows …") before the phrase are skipped.
    """
    determiners: list[str] = []
    begin = at = start
    while at < len(tokens):
        token = tokens[at]
        if is_determiner(token) and not token.possessive:
            if determiners and at > begin:  # "a luthier carves the neck"
                phrase, _ = _unknown(tokens, determiners, begin, at)
                if phrase:
                    return phrase, at
            determiners = [*determiners, token.word] if at == begin else [token.word]
            begin = at = at + 1
        elif _is_frame(tokens, at, determiners):
            determiners, begin = [], at + 1
            at += 1
            while at < len(tokens) and is_verb(tokens[at].word):  # the camera pans
                begin = at = at + 1
        elif noun := _noun(tokens, at):
            if _is_unknown_subject(tokens, begin, at, determiners):
                return _unknown(tokens, determiners, begin, at)
            if _is_owner(tokens, noun[0]):
                determiners, begin = ["his"], noun[0]
                at = begin
            else:
                phrase = _extend(tokens, Phrase(tuple(determiners), begin, at, *noun))
                if not _is_view(tokens, phrase.end):
                    return phrase, phrase.end
                determiners, begin = [], phrase.end
                at = begin
        elif ends_phrase(token) and not _joins_adjectives(tokens, begin, at):
            return _unknown(tokens, determiners, begin, at)
        elif at == begin and not determiners and token.word in words("verbs") | words("acts"):
            begin = at = at + 1
        else:
            at += 1
    return _unknown(tokens, determiners, begin, at)


def _noun(tokens: Sequence[Token], at: int) -> tuple[int, Sense] | None:
    """Return the end and the sense of the known noun at `at`.

    A colour counts as a noun only if no further noun of the phrase follows.
    """
    ahead = [token.word for token in tokens[at : at + taxonomy().longest]]
    inner = next((n for n, t in enumerate(tokens[at : at + len(ahead)], 1) if t.possessive), None)
    match = taxonomy().longest_match(ahead[:inner])
    if match is None:
        return None
    end = at + match[0]
    if tokens[at].word in words("colours") and match[0] == 1 and _goes_on(tokens, end):
        return None
    return end, match[1]


def _goes_on(tokens: Sequence[Token], at: int) -> bool:
    """Whether the head noun of a phrase lies at or after `at`."""
    for position in range(at, len(tokens)):
        token = tokens[position]
        if ends_phrase(token) or is_determiner(token):
            return position > at and not is_verb(tokens[position - 1].word)
        ahead = [word.word for word in tokens[position : position + taxonomy().longest]]
        if taxonomy().longest_match(ahead):
            return True
        if is_verb(token.word) or is_participle(token.word):
            return position > at and not is_participle(token.word)
    return at < len(tokens)


def _is_owner(tokens: Sequence[Token], end: int) -> bool:
    """Whether the noun that ends at `end` is the possessor of the head: "the cat's paws"."""
    if not tokens[end - 1].possessive or not _goes_on(tokens, end):
        return False
    return tokens[end].word not in words("frames")


def _is_frame(tokens: Sequence[Token], at: int, determiners: Sequence[str]) -> bool:
    """Whether a word describes the recording or names no object."""
    word = tokens[at].word
    if word not in words("frames"):
        return False
    follows = tokens[at + 1].word if at + 1 < len(tokens) else ""
    if word == "camera":
        return "the" in determiners or is_verb(follows)
    match = _noun(tokens, at)
    if match is None:
        return True
    return match[0] == at + 1 and follows in ("of", "across")  # silhouette of, pan across


def _is_view(tokens: Sequence[Token], at: int) -> bool:
    """Whether the noun that ends at `at` modifies a word about the recording: "drone footage"."""
    if at == len(tokens) or tokens[at - 1].possessive:  # a person's silhouette shows the person
        return False
    return tokens[at].word in words("frames") - words("verbs")


def _joins_adjectives(tokens: Sequence[Token], begin: int, at: int) -> bool:
    """Whether a conjunction or comma joins two adjectives: "a small, fluffy dog"."""
    if tokens[at].word not in ("and", "but", ",") or at == begin:
        return False
    following = tokens[at + 1 : at + 3]  # "a block and put it down", "a block, then …"
    if any(is_determiner(token) or token.word in CLAUSE for token in following):
        return False
    last = tokens[at - 1].word
    determined = begin > 0 and is_determiner(tokens[begin - 1])
    return determined or last in words("colours") or last == ","


def _extend(tokens: Sequence[Token], phrase: Phrase) -> Phrase:
    """Extend a phrase by nouns that form a compound with the head: "a city street"."""
    while phrase.end < len(tokens) and phrase.sense:
        if tokens[phrase.end - 1].possessive:
            return phrase
        at = phrase.end
        plural = phrase.sense.numbers == ("plural",) or phrase.plural
        while not plural and at < len(tokens) and _is_inner(tokens, at):
            at += 1  # a snow-covered mountain written as three words; a light brown dog
        noun = _noun(tokens, at)
        if noun is None:
            return _extend_unknown(tokens, phrase, plural)
        end, sense = noun
        animate = phrase.sense.concept.root in ANIMATE
        many = sense.numbers == ("plural",)  # or "rows", "dances": a verb
        if (
            phrase.sense.numbers == ("plural",)
            or (many and phrase.singular)
            or (many and end < len(tokens) and is_determiner(tokens[end]))
            or (many and animate and sense.concept.root != "body")
            or (animate and is_verb(tokens[at].word))
        ):
            return phrase
        keeps = at > phrase.end or tokens[phrase.head].word in words("attributes")
        head = at if keeps else phrase.head
        phrase = Phrase(phrase.determiners, phrase.begin, head, end, sense)
    return phrase


def _is_inner(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word between two nouns modifies the second noun."""
    word = tokens[at].word
    inner = word in words("colours") | words("adjectives") or word.endswith("ed")
    return inner and at + 1 < len(tokens) and _noun(tokens, at + 1) is not None


def _extend_unknown(tokens: Sequence[Token], phrase: Phrase, plural: bool) -> Phrase:
    """Extend a phrase by an unknown noun recognised by its ending: "a cheese taster"."""
    token = tokens[phrase.end]
    if plural or not token.is_word or ends_phrase(token) or is_verb(token.word):
        return phrase
    if branch_by_ending(token.word) is None:
        return phrase
    behind = tokens[phrase.end + 1].word if phrase.end + 1 < len(tokens) else ""
    if token.word.endswith("s") and not (is_verb(behind) or behind in words("auxiliaries")):
        return phrase  # sunlight filters through the trees
    return Phrase(phrase.determiners, phrase.begin, phrase.head, phrase.end + 1, None)


def _is_unknown_subject(
    tokens: Sequence[Token], begin: int, at: int, determiners: Sequence[str]
) -> bool:
    """Whether the words before a known noun are a subject and verb: "a luthier carves wood"."""
    if at - begin < 2 or not determiners:
        return False
    noun, verb = tokens[at - 2].word, tokens[at - 1].word
    finite = _is_one(determiners) and verb.endswith("s") and not verb.endswith(("ss", "us"))
    doing = verb.endswith("ing") and branch_by_ending(noun) == ("person", "work")
    return finite or doing


def _unknown(
    tokens: Sequence[Token], determiners: Sequence[str], begin: int, at: int
) -> tuple[Phrase | None, int]:
    """Return a phrase without a known noun, headed by the last word that can be a noun."""
    behind = max(at, begin) + (at < len(tokens) and ends_phrase(tokens[at]))
    end = at
    while end - begin > 1 and _is_behind(tokens[end - 1].word, _is_one(determiners)):
        end -= 1
    if end <= begin or not tokens[end - 1].is_word:
        return None, behind
    word = tokens[end - 1].word
    of_many = word.endswith("s") and len(word) > 3 and not is_verb(word)
    alone = end == len(tokens) and "the" in determiners  # "the sublime"
    if _is_no_noun(word) or alone or not (determiners or of_many):
        return None, behind
    return Phrase(tuple(determiners), begin, end - 1, end, None), max(end, begin)


def _is_no_noun(word: str) -> bool:
    lists = ("adverbs", "colours", "adjectives", "origins", "frames")
    return any(word in words(name) for name in lists) or word.endswith("ly")


def _is_behind(word: str, singular: bool) -> bool:
    """Whether the last word of a phrase may belong to the following text: "a zorb rolls"."""
    finite = singular and word.endswith("s")
    return _is_no_noun(word) or is_participle(word) or is_verb(word) or finite
