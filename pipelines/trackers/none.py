"""The tracker `none`."""

import numpy as np

from pipelines.config.config import Config


class NoTracker:
    """Finds no subject: clips are edited without a mask."""

    def __init__(self, config: Config) -> None:
        pass

    def __call__(self, frames: np.ndarray, subject: str | None) -> None:
        return None
