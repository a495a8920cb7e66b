"""The contract of prompters, which derive target prompts from a caption.

`annotate.prompter` chooses a prompter by name; other packages add names through the entry-point
group `strmatch.prompter`. A whole prompter:

    class Suffix:
        class Options(pipelines.config.options.Options):
            style: str = "in watercolour"
            \"""Words after the caption.\"""

        def __init__(self, config: Config, options: Options) -> None:
            self.style = options.style

        def __call__(
            self, prompt: str, subject: str | None, count: int, seed: int
        ) -> list[TargetPrompt]:
            return [TargetPrompt(f"{prompt.rstrip('.')} {self.style}")]

A class without `Options` is built of `config` alone. Options are those of
`annotate.prompter_options`. The hooks `validate`, `models` and `check` are optional: see
`pipelines.config.options`.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from pipelines.config.config import Config
from pipelines.target_prompt import TargetPrompt


class Prompter(Protocol):
    """Derives target prompts. Built once in each worker."""

    def __init__(self, config: Config, *options: Any) -> None: ...

    @classmethod
    def validate(cls, config: Config, *options: Any) -> None:
        """Optional. Raises ConfigError where the settings cannot work."""

    @classmethod
    def check(cls, config: Config, *options: Any) -> None:
        """Optional. Raises where weights or servers are missing."""

    def __call__(
        self, prompt: str, subject: str | None, count: int, seed: int
    ) -> Sequence[TargetPrompt]:
        """Derive up to `count` target prompts from a source prompt.

        The result depends on the arguments alone.

        Args:
            subject: the noun phrase to be edited, if it is known.

        Returns:
            No prompts where the source prompt cannot be understood.
        """
        ...
