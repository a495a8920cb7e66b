"""The prompter `llm`: a language model proposes nouns to replace the subject."""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import ClassVar

from pipelines.config.config import Config
from pipelines.english.subject import Subject, find_subject, nouns_of
from pipelines.english.taxonomy import Concept, taxonomy
from pipelines.english.unknown_noun import branch_by_ending, guess
from pipelines.openai_client import OnServer
from pipelines.prompters.noun_swap import FAR, NounSwap, swap
from pipelines.target_prompt import Kind, TargetPrompt

NOUNS: dict[Kind, str] = {
    "noun_near": "other things of the same kind, that look and behave alike",
    "noun_far": "things of quite another kind",
}
"""The kinds of swaps that the model proposes, each with its description in the request."""
SPARE = 4
"""Number of nouns requested in addition to those needed, because some do not fit."""
MAX_TOKENS = 400


class LLM(OnServer):
    """Works like `NounSwap`, with nouns proposed by a model that reads the caption.

    The model proposes words only. Target prompts are built like those of `NounSwap`, so that
    nothing else changes. `NounSwap` supplies the kinds without a noun, and replaces nouns that do
    not fit.

    Raises:
        ConfigError: no server or model is named, or the variable of the key is not set.
    """

    reads: ClassVar[tuple[str, ...]] = (
        *("annotate.target_kinds", "annotate.endpoint", "execution.endpoint"),
    )

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.noun_swap = NounSwap(config)

    def __call__(
        self, prompt: str, subject: str | None, count: int, seed: int
    ) -> list[TargetPrompt]:
        """See `Prompter`. An empty list if no kind can be made of the caption.

        Raises:
            RowError: `EndpointFailed`, the server gives no answer.
        """
        # Twice the number: the model may propose some of the same nouns.
        swaps = self.noun_swap(prompt, subject, 2 * count, seed)
        kinds = [target.kind for target in swaps[:count]]
        wanted = {kind: kinds.count(kind) + SPARE for kind in NOUNS if kind in kinds}
        found = find_subject(prompt, subject)
        if found is not None and wanted:
            answer = self.endpoint.ask(question(found, wanted), MAX_TOKENS, seed)
            swaps = [*proposed(found, answer), *swaps]
        targets: list[TargetPrompt] = []
        for kind in kinds:
            said = {target.prompt for target in targets}
            fresh = (t for t in swaps if t.kind == kind and t.prompt not in said)
            targets += islice(fresh, 1)
        return targets


def question(subject: Subject, wanted: Mapping[Kind, int]) -> str:
    """The request to the model: the wanted number of nouns of each kind, as JSON."""
    lists = ", ".join(f'"{kind}": [{n} nouns: {NOUNS[kind]}]' for kind, n in wanted.items())
    return (
        f"A video shows: {subject.caption}\n"
        f'Name things that could be in the place of "{subject.word}" in it. '
        "Give common English nouns in the singular, without articles or "
        f'adjectives, and no synonym or kind of "{subject.word}". Answer with JSON alone, in this '
        f"form: {{{lists}}}"
    )


def proposed(subject: Subject, answer: str) -> Iterator[TargetPrompt]:
    """The fitting swaps that an answer proposes, in the order of the answer."""
    for kind in NOUNS:
        for noun in _nouns(answer, kind):
            concept = _concept(subject, noun, kind)
            target = None if concept is None else swap(subject, concept, kind)
            if target is None or not _is_understood(target):
                continue
            known = noun in taxonomy().senses
            yield target if known else dataclasses.replace(target, distance=None)


def _nouns(answer: str, kind: Kind) -> list[str]:
    """The nouns of a kind in an answer, whose JSON may be surrounded by text."""
    start, end = answer.find("{"), answer.rfind("}")
    try:
        nouns = json.loads(answer[start : end + 1])[kind]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []
    if not isinstance(nouns, list):
        return []
    nouns = [noun.strip().lower() for noun in nouns if isinstance(noun, str)]
    return [noun for noun in nouns if re.fullmatch(r"[a-z]{2,}(?:[ -][a-z]{2,}){0,2}", noun)]


def _concept(subject: Subject, noun: str, kind: Kind) -> Concept | None:
    """The concept of a noun; None unless it is a different, single thing of the wanted kind."""
    inside = [*nouns_of(subject.caption), subject.concept]
    if any(of_caption.includes(c) for of_caption in inside for c in nouns_of(noun)):
        return None  # "puppy" or "guide dog" for a dog
    sense = taxonomy().senses.get(noun)
    if sense is None:
        return _unknown(subject, noun, kind)
    concept = sense.concept
    if concept.hidden or (sense.numbers[0] == "plural" and concept.number != "plural"):
        return None
    near = concept.root == subject.concept.root
    if not near if kind == "noun_near" else near or concept.root not in FAR:
        return None
    name = concept.name if concept.name.lower() == noun else noun
    return dataclasses.replace(concept, name=name, number=sense.numbers[0], gender=sense.gender)


def _unknown(subject: Subject, noun: str, kind: Kind) -> Concept | None:
    """The concept of a noun that the taxonomy does not hold, which is accepted as proposed.

    None if the form of the noun contradicts: a plural, a kind of the subject ("wolfdog"), another
    branch.
    """
    many = noun.endswith("s") and not noun.endswith(("ss", "us"))
    if many or noun.endswith(subject.word.lower()):
        return None
    guessed = guess(noun, ())
    if kind == "noun_far":
        return None if guessed.root == subject.concept.root else guessed
    branch = branch_by_ending(noun)
    if branch is not None and branch[0] != subject.concept.root:
        return None
    return dataclasses.replace(guessed, path=(*subject.concept.path[:-1], noun))


def _is_understood(target: TargetPrompt) -> bool:
    """Whether the target prompt is parsed with the new word as its subject."""
    found = find_subject(target.prompt, target.target_word)
    return found is not None and found.word.lower() == (target.target_word or "").lower()
