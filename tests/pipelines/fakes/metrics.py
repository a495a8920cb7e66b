"""Metrics for tests of everything around them: exact, instant, and ill-behaved."""

import ctypes
import os
import signal
from typing import ClassVar

import numpy as np


class Difference:
    """The mean absolute difference of source and edit, 0 to 255."""

    def __init__(self, config):
        pass

    def __call__(self, sample):
        return np.abs(sample.source.astype(int) - sample.edited).mean()


class Background(Difference):
    """The same outside the mask."""

    def __call__(self, sample):
        if sample.mask is None:
            return float("nan")
        return np.abs(sample.source.astype(int) - sample.edited)[~sample.mask].mean()


class Poisoned(Difference):
    """Does what the target asks for: kill, hang or raise; anything else is measured."""

    def __call__(self, sample):
        if sample.target_prompt == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if sample.target_prompt == "hang":
            ctypes.PyDLL(None).sleep(600)  # keeps the interpreter lock
        if sample.target_prompt == "raise":
            raise ZeroDivisionError("no flow,\nno error")
        return super().__call__(sample)


class Broken(Difference):
    """Cannot be made, which shows only when it is tried."""

    def __init__(self, config):
        raise RuntimeError("the metric's weights are rotten")


class Weightless(Difference):
    """Says before any work that it cannot be made."""

    @classmethod
    def check(cls, config):
        raise FileNotFoundError("no weights\nat all")


class Counting(Difference):
    """Says how many of it were made in this process."""

    made: ClassVar[int] = 0

    def __init__(self, config):
        Counting.made += 1

    def __call__(self, sample):
        return Counting.made
