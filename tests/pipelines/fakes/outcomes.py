"""An editor whose edits were made before: frames in files, by the target prompt."""

from pathlib import Path

import numpy as np

from pipelines.config.options import Options as Base
from pipelines.ids import content_id
from tests.pipelines.fakes.editors import Prompted


def name(source_prompt: str, target_prompt: str, frames: np.ndarray) -> str:
    """The file of an edit. Frames of equal prompts differ by their first frame's mean."""
    key = content_id(source=source_prompt, target=target_prompt, mean=int(frames[0].mean()))
    return f"{key}.npy"


class Prepared(Prompted):
    """Returns the frames that a folder holds for a target prompt."""

    class Options(Base):
        folder: str
        """Folder of the frames."""

    def __init__(self, config, options):
        self.folder = Path(options.folder)

    def edit(self, inversion, target_prompt, mask, seed):
        frames, source_prompt = inversion
        return np.load(self.folder / name(source_prompt, target_prompt, frames))
