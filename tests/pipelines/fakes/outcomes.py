"""An editor whose edits were made before: frames in files, by the target prompt."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from pipelines.config.options import Options as Base
from pipelines.ids import content_id


def name(source_prompt: str, target_prompt: str, frames: np.ndarray) -> str:
    """The file of an edit. Frames of equal prompts differ by their first frame's mean."""
    key = content_id(source=source_prompt, target=target_prompt, mean=int(frames[0].mean()))
    return f"{key}.npy"


class Prepared:
    """Returns the frames that a folder holds for a target prompt."""

    stochastic: ClassVar[bool] = False

    class Options(Base):
        folder: str
        """Folder of the frames."""

    def __init__(self, config, options):
        self.folder = Path(options.folder)

    @classmethod
    def revision(cls, config, options):
        return "1"

    def invert(self, frames, source_prompt):
        return frames, source_prompt

    def edit(self, inversion, target_prompt, mask, seed):
        frames, source_prompt = inversion
        return np.load(self.folder / name(source_prompt, target_prompt, frames))
