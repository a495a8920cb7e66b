"""The frames of a clip that a model looks at."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image


def sample(frames: np.ndarray, count: int) -> "list[Image]":
    """`count` frames of uint8 (f, H, W, 3), evenly spaced; all of them where there are fewer.

    Each is the middle one of its part of the clip.
    """
    from PIL import Image

    count = min(count, len(frames))
    middles = (np.arange(count) + 0.5) * len(frames) / count
    return [Image.fromarray(frames[int(at)]) for at in middles]
