"""The contract of metrics, which judge an edited clip."""

from typing import Literal, NamedTuple, Protocol

import numpy as np

Where = Literal["subject", "background", "all"]
"""Where an edit applies: the subject, all but the subject, or the whole clip."""


class NotMeasured(Exception):
    """A metric has no value for an edit, for a reason that the dataset records.

    Args:
        reason: one line.
    """


class Sample(NamedTuple):
    """An edited clip, its source and the prompts."""

    source: np.ndarray
    """uint8 (f, H, W, 3), RGB."""
    edited: np.ndarray
    """uint8 (f, H, W, 3), RGB, of the same shape as `source`."""
    mask: np.ndarray | None
    """bool (f, H, W), True where the edit was to change the clip; None: everywhere, or not
    known."""
    source_prompt: str
    target_prompt: str
    where: Where = "subject"
    """What `mask` covers."""
    fps: float | None = None
    """Frames per second of both clips; None: not known."""

    @property
    def subject(self) -> np.ndarray | None:
        """bool (f, H, W), True where the subject is; None: not known."""
        return ~self.mask if self.mask is not None and self.where == "background" else self.mask


class Metric(Protocol):
    """Computes one number for an edited clip.

    The docstring of a metric's class states the unit, the range, the source of the formula, and
    whether higher is better. `pipelines.metrics` has the contract for metrics of a configuration.
    """

    def __call__(self, sample: Sample) -> float:
        """NaN where the metric does not apply, such as one of the background without a mask.

        Raises:
            NotMeasured: the metric applies, and has no value. The edit stays ok.
        """
        ...
