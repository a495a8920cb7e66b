"""What judges an edited clip."""

from typing import NamedTuple, Protocol

import numpy as np


class Sample(NamedTuple):
    """An edited clip beside its source, with what was asked for."""

    source: np.ndarray
    """uint8 (f, H, W, 3), RGB."""
    edited: np.ndarray
    """Likewise, of the same shape."""
    mask: np.ndarray | None
    """bool (f, H, W), True where the subject is; None: not known."""
    source_prompt: str
    target_prompt: str


class Metric(Protocol):
    """One number of an edited clip. Its class says unit, source, and whether more is better."""

    def __call__(self, sample: Sample) -> float:
        """NaN where the metric does not apply: of the background, without a mask."""
        ...
