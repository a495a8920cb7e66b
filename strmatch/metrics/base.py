"""The contract of metrics, which judge an edited clip."""

from typing import NamedTuple, Protocol

import numpy as np


class Sample(NamedTuple):
    """An edited clip, its source and the prompts."""

    source: np.ndarray
    """uint8 (f, H, W, 3), RGB."""
    edited: np.ndarray
    """uint8 (f, H, W, 3), RGB, of the same shape as `source`."""
    mask: np.ndarray | None
    """bool (f, H, W), True where the subject is; None: not known."""
    source_prompt: str
    target_prompt: str


class Metric(Protocol):
    """Computes one number for an edited clip.

    The docstring of a metric's class states the unit, the range, the source of the formula, and
    whether higher is better. `pipelines.metrics` has the contract for metrics of a configuration.
    """

    def __call__(self, sample: Sample) -> float:
        """NaN where the metric does not apply, such as one of the background without a mask."""
        ...
