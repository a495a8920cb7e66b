"""What a clip shall show instead."""

import random
import re
from typing import Protocol

from pipelines.errors import RowError
from pipelines.ids import content_id
from pipelines.stages.base import Row


class Prompter(Protocol):
    def __call__(self, prompt: str, count: int, seed: int) -> list[str]:
        """Up to `count` target prompts for a source prompt; the same for the same seed."""
        ...


class Target:
    """Sets targets: the manifest's, else derived from source_prompt. Reads clip_id.

    Fails with `NoTarget` where the prompter knows no other word for the subject.
    """

    def __init__(self, prompter: Prompter, count: int, seed: int) -> None:
        self.prompter = prompter
        self.count = count
        self.seed = seed

    def __call__(self, row: Row) -> Row:
        if row["targets"]:
            return {"targets": [target.strip() for target in row["targets"]]}
        seed = int(content_id(clip=row["clip_id"], seed=self.seed)[:16], 16)
        targets = self.prompter(row["source_prompt"], self.count, seed)
        if not targets:
            raise RowError(
                "NoTarget",
                f"no target prompt for {row['source_prompt']!r}: give targets in the manifest",
            )
        return {"targets": targets}


SIBLINGS = (
    ("circle", "square", "triangle", "star", "cross", "heart", "diamond", "ring"),
    ("cat", "dog", "fox", "rabbit", "horse", "cow", "sheep", "bear", "tiger", "elephant"),
    ("car", "bus", "truck", "van", "taxi", "tractor", "tram"),
    ("bicycle", "motorcycle", "scooter", "skateboard"),
    ("boat", "ship", "canoe", "raft"),
    ("bird", "duck", "swan", "eagle", "owl", "parrot", "butterfly"),
    ("man", "woman", "boy", "girl", "child", "robot", "astronaut", "clown"),
    ("ball", "balloon", "apple", "pumpkin"),
    ("object", "toy", "robot", "statue", "lantern"),
)
"""Nouns that can stand for one another as the subject of a clip."""


class NounPrompter:
    """Replaces the first noun of `SIBLINGS` that a prompt names by its siblings."""

    def __call__(self, prompt: str, count: int, seed: int) -> list[str]:
        for match in re.finditer(r"[A-Za-z]+", prompt):
            noun = match.group().lower()
            for family in SIBLINGS:
                if noun in family:
                    others = sorted(set(family) - {noun})
                    chosen = random.Random(seed).sample(others, min(count, len(others)))
                    return [_replace(prompt, match, other) for other in chosen]
        return []


def _replace(prompt: str, match: re.Match[str], noun: str) -> str:
    """Put `noun` in place of a match, with the article that it needs."""
    before, after = prompt[: match.start()], prompt[match.end() :]
    article = "an" if noun[0] in "aeiou" else "a"
    before = re.sub(
        r"\b(an?)(\s+)$",
        lambda m: (article.capitalize() if m[1][0].isupper() else article) + m[2],
        before,
        flags=re.IGNORECASE,
    )
    return before + noun + after
