"""What lets SAM2 follow a clip of any length in bounded memory.

The model sees one frame at a time, and reads only its outputs for the frames just before. Both
implementations would hold all frames as floats, 12.6 megabytes each at SAM2's size of 1024 pixels,
and all outputs.
"""

from typing import Any

import numpy as np
import torch
from PIL import Image

# The normalisation of SAM2's training.
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class NormalisedFrames:
    """The frames of a clip as SAM2 sees them, each prepared when the model reads it.

    Stands for the list of prepared frames in a session of either implementation.

    Args:
        frames: uint8 (f, H, W, 3).
        side: side S of the square that the model sees, pixels.
    """

    how, mean, std = Image.Resampling.BICUBIC, MEAN, STD

    def __init__(self, frames: np.ndarray, side: int) -> None:
        self.frames = frames
        self.side = side

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> torch.Tensor:
        """A frame as float32 (3, S, S), by the steps of the loader of SAM2's authors."""
        size = (self.side, self.side)
        image = np.array(Image.fromarray(self.frames[index]).resize(size, self.how))
        return (torch.from_numpy(image).permute(2, 0, 1) / 255 - self.mean) / self.std


class Sam3Frames(NormalisedFrames):
    """The same for SAM3, as its image processor prepares frames."""

    how, mean, std = Image.Resampling.BILINEAR, torch.tensor(0.5), torch.tensor(0.5)


def forget(outputs: dict[int, Any], current: int, prompt_frame: int, reach: int) -> None:
    """Remove the outputs that the model does not read again.

    The object is followed forwards from the prompt, then backwards. The model reads the outputs of
    the `reach` frames before the current one in the direction of tracking. On the way back, these
    may be outputs of the first frames of the way forward.

    Args:
        outputs: by frame, of frames without a prompt. Changed in place.
        current: the frame that was tracked last. One before `prompt_frame` is on the way back.
        prompt_frame: the frame with the prompt.
        reach: number of frames.
    """
    backwards = current < prompt_frame
    for index in [*outputs]:
        first = index <= prompt_frame + reach
        if index > current + reach if backwards else index < current - reach and not first:
            del outputs[index]
