"""What a clip shall show instead."""

from collections.abc import Sequence
from typing import Protocol

from pipelines.errors import RowError
from pipelines.ids import content_id
from pipelines.prompts.target_prompt import TargetPrompt
from pipelines.stages.base import Row


class Prompter(Protocol):
    def __call__(
        self, prompt: str, subject: str | None, count: int, seed: int
    ) -> Sequence[TargetPrompt]:
        """Up to `count` target prompts for a source prompt; the same for the same seed.

        Args:
            subject: the noun phrase to be edited, if one is known.
        """
        ...


class Target:
    """Sets targets where none are given: rows of `schema.TARGET`.

    Reads source_prompt, subject and clip_id.

    Fails with `NoTarget` where the prompter cannot tell what the caption is about.
    """

    def __init__(self, prompter: Prompter, count: int, seed: int) -> None:
        self.prompter = prompter
        self.count = count
        self.seed = seed

    def __call__(self, row: Row) -> Row:
        if row["targets"]:
            return {}
        seed = int(content_id(clip=row["clip_id"], seed=self.seed)[:16], 16)
        targets = self.prompter(row["source_prompt"], row["subject"], self.count, seed)
        if not targets:
            raise RowError(
                "NoTarget",
                f"no {row['subject'] or 'subject'} that could be another in "
                f"{row['source_prompt']!r}: give targets in the manifest",
            )
        return {"targets": [target.as_row() for target in targets]}
