"""The prompter `noun_swap`: target prompts that replace one phrase of a caption."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from pipelines.config.config import Config
from pipelines.english import grammar
from pipelines.english.grammar import Pronoun
from pipelines.english.language import is_english
from pipelines.english.noun_phrase import ANIMATE
from pipelines.english.subject import Subject, find_subject, later_mentions, nouns_of
from pipelines.english.taxonomy import Concept, distance, taxonomy
from pipelines.prompters.attribute_swaps import background, recolour, restyle
from pipelines.target_prompt import Kind, TargetPrompt

FAR = ("person", "animal", "plant", "food", "artifact")
"""Branches from which far nouns are taken: possible subjects of a clip."""


class NounSwap:
    """Makes target prompts of the kinds `annotate.target_kinds`, in turn.

    A kind without further prompts is passed over.
    """

    reads: ClassVar[tuple[str, ...]] = ("annotate.target_kinds",)

    def __init__(self, config: Config) -> None:
        self.kinds = config.annotate.target_kinds

    def __call__(
        self, prompt: str, subject: str | None, count: int, seed: int
    ) -> list[TargetPrompt]:
        """See `Prompter`. An empty list if no kind can be made of the caption.

        That is so for captions in other languages, see `is_english`.
        """
        found = find_subject(prompt, subject)
        if found is None or not is_english(found):
            return []
        left = {kind: KINDS[kind](found, random.Random(f"{kind} {seed}")) for kind in self.kinds}
        targets: list[TargetPrompt] = []
        while left and len(targets) < count:
            for kind in self.kinds:
                target = next(left[kind], None) if kind in left else None
                if target is None:
                    left.pop(kind, None)
                elif len(targets) < count:
                    targets.append(target)
        return targets


def noun_near(subject: Subject, rng: random.Random) -> Iterator[TargetPrompt]:
    """The subject as another noun of its branch, the nearest first."""
    others = [c for c in taxonomy().concepts if c.root == subject.concept.root]
    far = sorted(((distance(subject.concept, c), c) for c in others), key=itemgetter(0))
    for _, group in groupby(far, key=itemgetter(0)):
        nearest = [concept for _, concept in group]
        rng.shuffle(nearest)
        yield from _swaps(subject, nearest, "noun_near")


def noun_far(subject: Subject, rng: random.Random) -> Iterator[TargetPrompt]:
    """The subject as a noun of another branch."""
    roots = [root for root in FAR if root != subject.concept.root]
    others = [c for c in taxonomy().concepts if c.root in roots]
    rng.shuffle(others)
    yield from _swaps(subject, others, "noun_far")


KINDS: dict[Kind, Callable[[Subject, random.Random], Iterator[TargetPrompt]]] = {
    "noun_near": noun_near,
    "noun_far": noun_far,
    "recolour": recolour,
    "restyle": restyle,
    "background": background,
}
"""Generators of target prompts by kind, each in random order."""


def _swaps(subject: Subject, concepts: Sequence[Concept], kind: Kind) -> Iterator[TargetPrompt]:
    named = nouns_of(subject.caption)
    for concept in concepts:
        if concept.hidden or concept in named or subject.concept.includes(concept):
            continue
        target = swap(subject, concept, kind)
        if target is not None:
            yield target


def swap(subject: Subject, concept: Concept, kind: Kind) -> TargetPrompt | None:
    """Replace the subject of a caption by `concept`; None if grammar does not allow that."""
    if (subject.number == "mass") != (concept.number == "mass"):
        return None
    if subject.number == "singular" and concept.number == "plural":
        return None
    if subject.says_sex and (concept.gender != "n" or concept.root not in ANIMATE):
        return None
    many = subject.number == "plural" and concept.number == "singular"
    word = grammar.plural(concept.name) if many else concept.name
    rest = _rest(subject, concept, word)
    if rest is None:
        return None
    prompt = grammar.replace(
        subject.caption[: subject.end] + rest, subject.start, subject.end, word
    )
    return TargetPrompt(prompt, kind, subject.word, word, distance(subject.concept, concept))


def _rest(subject: Subject, concept: Concept, word: str) -> str | None:
    """The text after the subject, in which later mentions are `word` and pronouns agree with it.

    None if pronouns cannot agree.
    """
    rest, at = "", subject.end
    for begin, start, end in later_mentions(subject):
        part = _agree(subject, concept, at, begin)
        if part is None:
            return None
        capital = subject.caption[start].isupper()
        rest += part + subject.caption[begin:start]
        rest += word[0].upper() + word[1:] if capital else word
        at = end
    part = _agree(subject, concept, at, len(subject.caption))
    return None if part is None else rest + part


def _agree(subject: Subject, concept: Concept, start: int, end: int) -> str | None:
    """A part of the caption, with pronouns that agree with `concept`; None if impossible."""
    rest = subject.caption[start:end]
    person = concept.root == "person"
    if (subject.concept.root == "person") != person:
        rest = re.sub(r"^ (who|which|that)\b", " who" if person else " that", rest)
    if subject.number != "singular":
        return rest
    before = subject.pronoun
    after: Pronoun = "p" if person and concept.gender == "n" else concept.gender
    if before is None or before == after or (after == "p" and before != "n"):
        return rest  # nothing speaks of it, or "he" may be a chef too
    if before == "p" and person:
        return rest
    until = subject.end + subject.until_another(before)
    return grammar.change_pronouns(rest, before, after, until - start)
