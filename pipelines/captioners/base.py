from typing import Protocol

import numpy as np


class Captioner(Protocol):
    def __call__(self, frames: np.ndarray) -> str:
        """Frames uint8 (f, H, W, 3) to a caption."""
        ...
