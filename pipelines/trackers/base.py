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
`pipelines.config.options`. So is `objects`, without which a tracker follows the subject alone.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from pipelines.config.config import Config


class Found(NamedTuple):
    """An object of a clip."""

    words: str
    """The phrase that names the object."""
    mask: np.ndarray
    """bool (f, H, W), the visible pixels."""
    score: float | None
    """How certain the tracker is that the words name the object, 0–1; None: not known."""


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

    def objects(self, frames: np.ndarray, phrases: Sequence[str]) -> list[Found]:
        """Optional. Find the objects that phrases name, at most one for each.

        Called instead of the tracker itself where an edit may change several objects.

        Args:
            frames: uint8 (f, H, W, 3), RGB.
            phrases: at least two noun phrases of one caption, the subject first.

        Returns:
            In the order of the phrases. Phrases that name nothing in the clip are left out.

        Raises:
            Rejected: the clip is not worth an edit.
        """
        ...
