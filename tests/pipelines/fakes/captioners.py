"""A captioner for tests of its surroundings. It requires a GPU and kills its worker at a colour."""

import os
import signal
from typing import ClassVar


class Poisoned:
    """A clip of a certain green kills the worker."""

    on_gpu: ClassVar[bool] = True

    def __init__(self, config):
        pass

    def __call__(self, frames):
        red, green, blue = frames[0, 0, 0].tolist()
        if green > 200 and max(red, blue) < 50:
            os.kill(os.getpid(), signal.SIGKILL)
        return "a cat"
