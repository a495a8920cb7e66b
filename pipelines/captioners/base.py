"""The contract of captioners, which describe what a clip shows.

`annotate.captioner` chooses a captioner by name; other packages add names through the entry-point
group `strmatch.captioner`. A whole captioner:

    class Fixed:
        class Options(pipelines.config.options.Options):
            subject: str = "cat"
            \"""Noun of the caption.\"""

        def __init__(self, config: Config, options: Options) -> None:
            self.subject = options.subject

        def __call__(self, frames: np.ndarray) -> str:
            return f"A {self.subject} in {len(frames)} frames."

A class without `Options` is built of `config` alone. Options are those of
`annotate.captioner_options`. The hooks `validate`, `models` and `check` are optional: see
`pipelines.config.options`.
"""

from typing import Any, ClassVar, Protocol

import numpy as np

from pipelines.config.config import Config


class Captioner(Protocol):
    """Describes a clip in one sentence. Built once in each worker."""

    on_gpu: ClassVar[bool] = False
    """Whether the captioner runs on a GPU where there is one, in a pool of workers of its own.
    Optional."""

    def __init__(self, config: Config, *options: Any) -> None: ...

    @classmethod
    def validate(cls, config: Config, *options: Any) -> None:
        """Optional. Raises ConfigError where the settings cannot work."""

    @classmethod
    def check(cls, config: Config, *options: Any) -> None:
        """Optional. Raises where weights or servers are missing."""

    def __call__(self, frames: np.ndarray) -> str:
        """Caption frames, uint8 (f, H, W, 3), RGB.

        Raises:
            Rejected: the clip is not worth an edit.
        """
        ...
