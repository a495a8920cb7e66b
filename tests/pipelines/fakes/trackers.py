"""Trackers for tests of their surroundings. They kill their worker or hang at a video's colour."""

import ctypes
import os
import signal

import numpy as np


class Poisoned:
    """A red clip kills the worker, a blue one hangs. The subject of others is the upper half."""

    def __init__(self, config):
        pass

    def __call__(self, frames, subject):
        red, green, blue = frames[0, 0, 0].tolist()
        if red > max(green, blue) + 50:
            os.kill(os.getpid(), signal.SIGKILL)
        if blue > max(red, green) + 50:
            ctypes.PyDLL(None).sleep(600)  # holds the interpreter lock
        mask = np.zeros(frames.shape[:3], bool)
        mask[:, : frames.shape[1] // 2] = True
        return mask
