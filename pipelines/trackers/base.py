"""The contract of trackers, which find where the subject of a clip is.

`annotate.tracker` chooses a tracker by name; other packages add names through the entry-point group
`strmatch.tracker`. A whole tracker:

    class Bright:
        class Options(pipelines.config.options.Options):
            threshold: int = 128
            \"""Least brightness of the subject, 0–255.\"""

        def __init__(self, config: Config, options: Options) -> None:
            self.threshold = options.threshold

        def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray | None:
            mask = frames.mean(axis=-1) >= self.threshold
            return mask if mask.any() else None

A class without `Options` is built of `config` alone. Options are those of
`annotate.tracker_options`. The hooks `validate`, `models` and `check` are optional: see
`pipelines.config.options`.
"""

from typing import Any, ClassVar, Protocol

import numpy as np

from pipelines.config.config import Config


class Tracker(Protocol):
    """Finds the subject of a clip. Built once in each worker."""

    on_gpu: ClassVar[bool] = False
    """Whether the tracker runs on a GPU where there is one, in a pool of workers of its own.
    Optional."""

    def __init__(self, config: Config, *options: Any) -> None: ...

    @classmethod
    def validate(cls, config: Config, *options: Any) -> None:
        """Optional. Raises ConfigError where the settings cannot work."""

    @classmethod
    def check(cls, config: Config, *options: Any) -> None:
        """Optional. Raises where weights or servers are missing."""

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray | None:
        """Find the subject in every frame.

        Args:
            frames: uint8 (f, H, W, 3), RGB.
            subject: the noun phrase to be edited, if it is known.

        Returns:
            A mask, bool (f, H, W); None if there is no subject.

        Raises:
            Rejected: the clip is not worth an edit.
        """
        ...
