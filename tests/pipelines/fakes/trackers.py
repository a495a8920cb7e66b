"""Trackers for tests of their surroundings. They kill their worker or hang at a video's colour."""

import ctypes
import os
import signal


class Poisoned:
    """A red clip kills the worker, a blue one hangs. The mask of others is the whole frame."""

    def __init__(self, config):
        pass

    def __call__(self, frames, subject):
        red, green, blue = frames[0, 0, 0].tolist()
        if red > max(green, blue) + 50:
            os.kill(os.getpid(), signal.SIGKILL)
        if blue > max(red, green) + 50:
            ctypes.PyDLL(None).sleep(600)  # holds the interpreter lock
        return None
