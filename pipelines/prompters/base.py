from collections.abc import Sequence
from typing import Protocol

from pipelines.target_prompt import TargetPrompt


class Prompter(Protocol):
    def __call__(
        self, prompt: str, subject: str | None, count: int, seed: int
    ) -> Sequence[TargetPrompt]:
        """Up to `count` target prompts for a source prompt; the same for the same seed.

        Args:
            subject: the noun phrase to be edited, if one is known.
        """
        ...
