"""Trackers for tests of everything around them: they kill or hang at a video's colour."""

import ctypes
import os
import signal


class Poisoned:
    """A red clip kills its worker, a blue one hangs, of others the whole frame is the mask."""

    def __init__(self, config):
        pass

    def __call__(self, frames, subject):
        red, green, blue = frames[0, 0, 0].tolist()
        if red > max(green, blue) + 50:
            os.kill(os.getpid(), signal.SIGKILL)
        if blue > max(red, green) + 50:
            ctypes.PyDLL(None).sleep(600)  # keeps the interpreter lock
        return None
