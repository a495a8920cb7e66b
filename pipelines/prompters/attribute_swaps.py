"""Target prompts in which the subject keeps its noun: another colour, style or place."""

import random
from collections.abc import Iterator, Sequence

from pipelines.english import grammar
from pipelines.english.noun_phrase import Phrase, read_phrase
from pipelines.english.subject import Subject, later_mentions, nouns_of
from pipelines.english.taxonomy import taxonomy
from pipelines.english.tokens import Token, ends_phrase, tokenise, words
from pipelines.target_prompt import Kind, TargetPrompt
from strmatch.metrics.base import Where

COLOURS: dict[str, tuple[str, ...]] = {
    "red": ("crimson", "scarlet", "maroon"),
    "orange": (),
    "yellow": ("golden",),
    "green": ("teal",),
    "blue": ("navy", "turquoise", "cyan", "indigo"),
    "purple": ("violet", "magenta"),
}
"""Proposed colours, each with the colours from which the change would be too small."""
COLOURABLE = ("animal", "plant", "food", "artifact", "figure")
"""Branches of nouns that may get a colour where the caption names none."""
STYLES = (
    *("made of wood", "made of glass", "made of paper", "made of clay", "made of ice"),
    *("made of gold", "drawn in pencil", "painted in watercolour", "rendered as pixel art"),
)
AT = ("in", "on", "at")
PLACES: dict[str, tuple[str, ...]] = {
    "a city street": ("on", "along", "down", "across", "through"),
    "a sandy beach": ("on", "along", "across", "over"),
    "a dense forest": ("in", "through", "over", "into"),
    "a snowy mountain": ("on", "across", "over", "up", "down"),
    "a green meadow": ("in", "across", "through", "over", "into"),
    "a sandy desert": ("in", "across", "through", "over", "into"),
    "a narrow canyon": ("in", "along", "through", "over", "into"),
    "a quiet village": ("in", "across", "through", "over", "into"),
    "a flower garden": ("in", "across", "through", "over", "into"),
    "a frozen lake": ("on", "along", "across", "over"),
}
"""Places with their prepositions. The first preposition states a position."""


def recolour(subject: Subject, rng: random.Random) -> Iterator[TargetPrompt]:
    """The subject, or a garment of a person, in another colour; adds a colour if none is named."""
    tokens = tokenise(subject.caption)
    if subject.concept.root == "person":
        span = _worn_colour(tokens, subject)
    else:
        span = _colours(tokens, subject.begin, subject.start)
    said = subject.caption[slice(*span)] if span else subject.word
    names = {token.word for token in tokenise(said)}
    fresh = [c for c, like in COLOURS.items() if not names & {c, *like}]
    rng.shuffle(fresh)
    if span:
        for colour in fresh:
            yield _recoloured(subject, tokens, span, colour)
    elif subject.concept.root in COLOURABLE and not names & words("colours"):
        start = _place_of_colour(tokens, subject)
        noun = subject.caption[start : subject.end]
        if start == 0 and noun.split()[0].lower() not in words("origins"):
            noun = noun[0].lower() + noun[1:]
        for colour in fresh:
            yield _replaced(subject, start, subject.end, f"{colour} {noun}", "recolour")


def _recoloured(
    subject: Subject, tokens: Sequence[Token], span: tuple[int, int], colour: str
) -> TargetPrompt:
    """The colour of a span replaced, also where a later mention repeats it: "… The red car …"."""
    said, caption = subject.caption[slice(*span)], subject.caption
    for begin, start, _ in reversed(later_mentions(subject)):
        again = _colours(tokens, begin, start)
        if again and caption[slice(*again)].lower() == said.lower():
            caption = grammar.replace(caption, *again, colour)
    prompt = grammar.replace(caption, *span, colour)
    return TargetPrompt(prompt, "recolour", said, colour, 0)


def restyle(subject: Subject, rng: random.Random) -> Iterator[TargetPrompt]:
    """The subject in another material or artistic style."""
    tokens = tokenise(subject.caption)
    behind = [at for at, token in enumerate(tokens) if token.start >= subject.end]
    end = subject.end
    if behind and tokens[behind[0]].word == "of":  # a cup of coffee made of glass
        end = tokens[_end_of_phrase(tokens, behind[0] + 1) - 1].end
    said = subject.caption[subject.start : end]
    for style in rng.sample(STYLES, len(STYLES)):
        if style.split()[-1] not in subject.caption.lower():
            yield _replaced(subject, subject.start, end, f"{said} {style}", "restyle")


def background(subject: Subject, rng: random.Random) -> Iterator[TargetPrompt]:
    """Another place or pattern instead of the first one after the subject of the caption."""
    tokens = tokenise(subject.caption)
    for at, token in enumerate(tokens[:-1]):
        if token.start < subject.end or token.word not in words("prepositions") - {"of"}:
            continue
        phrase, _ = read_phrase(tokens, at + 1)
        if phrase is None or phrase.sense is None:
            continue
        if nouns_of(subject.caption).count(phrase.sense.concept) > 1:
            continue  # a second mention would contradict the new place
        if phrase.sense.concept.root == "pattern":
            yield from _other_patterns(subject, tokens, phrase, rng)
            return
        if phrase.sense.concept.root == "place":
            yield from _other_places(subject, tokens, at, phrase, rng)
            return


def _other_patterns(
    subject: Subject, tokens: Sequence[Token], phrase: Phrase, rng: random.Random
) -> Iterator[TargetPrompt]:
    patterns = [c for c in taxonomy().concepts if c.root == "pattern"]
    for concept in rng.sample(patterns, len(patterns)):
        if phrase.sense and concept != phrase.sense.concept:
            start, end = tokens[phrase.head].start, tokens[phrase.end - 1].end
            yield _replaced(subject, start, end, concept.name, "background")


def _other_places(
    subject: Subject, tokens: Sequence[Token], at: int, phrase: Phrase, rng: random.Random
) -> Iterator[TargetPrompt]:
    preposition, end = tokens[at].word, phrase.end
    if end < len(tokens) and tokens[end].word == "of":  # the streets of New York
        end = _end_of_phrase(tokens, end + 1)
    named = nouns_of(subject.caption)
    for place in rng.sample(sorted(PLACES), len(PLACES)):
        fitting = PLACES[place]
        if preposition not in AT and preposition not in fitting:
            continue
        if any(concept in named for concept in nouns_of(place)):
            continue
        first = preposition if preposition in fitting else fitting[0]
        new = f"{first} {place}"
        yield _replaced(subject, tokens[at].start, tokens[end - 1].end, new, "background")


def _replaced(subject: Subject, start: int, end: int, new: str, kind: Kind) -> TargetPrompt:
    prompt = grammar.replace(subject.caption, start, end, new)
    where: Where = "background" if kind == "background" else "subject"
    return TargetPrompt(prompt, kind, subject.caption[start:end], new, 0, where)


def _colours(tokens: Sequence[Token], start: int, end: int) -> tuple[int, int] | None:
    """Span of the first colours between two positions, such as "black and white"."""
    inside = [token for token in tokens if start <= token.start and token.end <= end]
    at = next((n for n, token in enumerate(inside) if token.word in words("colours")), None)
    if at is None:
        return None
    last = at
    for n in range(at + 1, len(inside)):
        if inside[n].word in words("colours"):
            last = n
        elif inside[n].word not in ("and", ","):
            break
    return inside[at].start, inside[last].end


def _worn_colour(tokens: Sequence[Token], subject: Subject) -> tuple[int, int] | None:
    """Span of the colour of the first garment after the subject."""
    for at, token in enumerate(tokens):
        if token.start < subject.end or token.word not in words("colours"):
            continue
        phrase, _ = read_phrase(tokens, at)
        if phrase and phrase.sense and phrase.sense.concept.path[1] == "clothing":
            return _colours(tokens, token.start, tokens[phrase.head].start)
    return None


def _place_of_colour(tokens: Sequence[Token], subject: Subject) -> int:
    """Position at which a colour is inserted: before the material and the origin."""
    start = subject.start
    for token in reversed(tokens):
        if subject.begin <= token.start and token.end < start:
            if token.word not in words("adjectives") | words("origins") | words("attributes"):
                break
            start = token.start
    return start


def _end_of_phrase(tokens: Sequence[Token], at: int) -> int:
    """End of the noun phrase that begins at `at`, even if its words are unknown."""
    phrase, _ = read_phrase(tokens, at)
    if phrase is not None:
        return phrase.end
    while at < len(tokens) and not ends_phrase(tokens[at]):
        at += 1
    return at
