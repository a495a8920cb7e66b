"""What a clip shall show instead."""

from collections.abc import Sequence
from typing import Protocol

from pipelines.errors import RowError
from pipelines.ids import content_id
from pipelines.prompts.target_prompt import TargetPrompt
from pipelines.stages.base import Row


class Prompter(Protocol):
    def __call__(self, prompt: str, count: int, seed: int) -> Sequence[TargetPrompt]:
        """Up to `count` target prompts for a source prompt; the same for the same seed."""
        ...


class Target:
    """Sets targets, where none are given, from source_prompt and clip_id; rows of `schema.TARGET`.

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
        targets = self.prompter(row["source_prompt"], self.count, seed)
        if not targets:
            raise RowError(
                "NoTarget",
                f"no subject that could be another in {row['source_prompt']!r}: "
                "give targets in the manifest",
            )
        return {"targets": [target.as_row() for target in targets]}
