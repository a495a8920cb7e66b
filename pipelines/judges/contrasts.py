"""Prompts that differ from a prompt in one thing: hard negatives for a classifier."""

import random
from itertools import islice

from pipelines.english.subject import find_subject
from pipelines.prompters.noun_swap import KINDS
from pipelines.target_prompt import Kind

VARIED: tuple[Kind, ...] = ("noun_near", "recolour", "background")


def contrasts(prompt: str, most: int) -> list[str]:
    """Returns prompts with another subject, another colour, or another place.

    Args:
        prompt: in English. No contrasts if no subject is found.
        most: maximum number of prompts of each kind, the nearest first.
    """
    subject = find_subject(prompt)
    if subject is None:
        return []
    return [
        target.prompt
        for kind in VARIED
        for target in islice(KINDS[kind](subject, random.Random(0)), most)
    ]
