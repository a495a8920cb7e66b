"""Target prompts for several objects of a clip at once, by a prompter of single ones.

The prompter changes one object after the other in the same prompt: its second source prompt is its
first target prompt.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.english.grammar import with_article
from pipelines.english.objects import is_named_once
from pipelines.english.subject import find_subject
from pipelines.prompters.base import Prompter
from pipelines.target_prompt import ObjectEdit, TargetPrompt

SPARE = 4
"""Targets requested beyond those needed, as targets that repeat a later object are dropped."""


def several_targets(
    prompter: Prompter, prompt: str, objects: Sequence[Mapping[str, Any]], count: int, seed: int
) -> list[TargetPrompt]:
    """Derive target prompts, each of which changes all objects.

    A target of the subject that applies to the background changes that instead of the subject. An
    object for which the prompter has no fitting target keeps its words.

    Args:
        prompter: derives the target prompts of one object.
        prompt: the source prompt.
        objects: at least two, as `schema.OBJECT`, the subject first.
        count: maximum number of target prompts.
        seed: as for `Prompter`.
    """
    subject, *others = objects
    targets: dict[str, TargetPrompt] = {}
    first_ones = prompter(prompt, subject["words"], count, seed)
    for turn, first in enumerate(first_ones):
        left = [each["words"] for each in others]
        if first.where == "all" or not _are_named_once(first.prompt, left):
            continue
        now, edits = first.prompt, [_edit(subject, first)]
        for number, each in enumerate(others, start=1):
            wanted = prompter(now, each["words"], count + SPARE, seed + number)
            fitting = [*_fitting(wanted, left[number:])]
            if fitting:
                chosen = fitting[turn % len(fitting)]
                now = chosen.prompt
                edits.append(_edit(each, chosen))
        if len(edits) > 1:
            targets.setdefault(now, TargetPrompt(now, edits=tuple(edits)))
        else:
            targets.setdefault(now, first)
    return [*targets.values()]


def _fitting(targets: Sequence[TargetPrompt], left: Sequence[str]) -> Iterator[TargetPrompt]:
    """Yields the targets of an object that leave the later objects named."""
    for target in targets:
        if target.where == "subject" and _are_named_once(target.prompt, left):
            yield target


def _are_named_once(prompt: str, phrases: Sequence[str]) -> bool:
    """Whether each phrase names one thing of a prompt. "Blue cross" does not if another cross of
    the prompt has become blue."""
    return all(is_named_once(prompt, phrase) for phrase in phrases)


def _edit(thing: Mapping[str, Any], target: TargetPrompt) -> ObjectEdit:
    """Returns the edit of an object, or of the background, with a prompt of its own."""
    in_background = target.where == "background"
    return ObjectEdit(
        object=None if in_background else thing["id"],
        words=None if in_background else thing["words"],
        prompt=target.prompt if in_background else own_prompt(thing["words"], target),
        kind=target.kind,
        source_word=target.source_word,
        target_word=target.target_word,
        distance=target.distance,
        where=target.where,
    )


def own_prompt(words: str, target: TargetPrompt) -> str:
    """The words of an object after its edit: "a blue car". The whole target prompt if the words
    themselves do not change, as of a woman whose coat does.

    Args:
        words: of the object, without a determiner.
        target: the target prompt of the object.
    """
    old, new = target.source_word, target.target_word
    found = find_subject(words)
    if not old or not new or found is None or old.lower() not in words.lower():
        return target.prompt
    start = words.lower().index(old.lower())
    changed = words[:start] + new + words[start + len(old) :]
    return with_article(changed, found.number)
