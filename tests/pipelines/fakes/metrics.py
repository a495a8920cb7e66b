"""Metrics for tests of their surroundings: exact, instant, and faulty."""

import ctypes
import os
import signal
from typing import ClassVar

import numpy as np
import ray

from strmatch.metrics.base import NotMeasured


class Difference:
    """The mean absolute difference of source and edit, 0 to 255."""

    def __init__(self, config):
        pass

    def __call__(self, sample):
        return np.abs(sample.source.astype(int) - sample.edited).mean()


class Background(Difference):
    """The mean absolute difference of source and edit outside the mask, 0 to 255."""

    def __call__(self, sample):
        if sample.mask is None:
            return float("nan")
        return np.abs(sample.source.astype(int) - sample.edited)[~sample.mask].mean()


class Windowed(Difference):
    """`Difference` of each window of a clip."""

    worst: ClassVar[str] = "highest"


class Kept(Difference):
    """255 less the mean absolute difference of each window, and no value for an equal window."""

    worst: ClassVar[str] = "lowest"

    def __call__(self, sample):
        difference = super().__call__(sample)
        if difference < 1:
            raise NotMeasured("nothing changed")
        return 255 - difference


class Length(Difference):
    """The number of frames that a metric receives at once."""

    def __call__(self, sample):
        return len(sample.edited)


class Poisoned(Difference):
    """Kills its process, hangs or raises as the target demands. Measures any other target."""

    def __call__(self, sample):
        if sample.target_prompt == "kill the metric":
            os.kill(os.getpid(), signal.SIGKILL)
        if sample.target_prompt == "hang the metric":
            ctypes.PyDLL(None).sleep(600)  # holds the interpreter lock
        if sample.target_prompt == "raise in the metric":
            raise ZeroDivisionError("no flow,\nno error")
        return super().__call__(sample)


class Speechless(Difference):
    """Has no value for any edit."""

    def __call__(self, sample):
        raise NotMeasured("no words,\nno number")


class Broken(Difference):
    """Raises on construction, without a check that reports the problem earlier."""

    def __init__(self, config):
        raise RuntimeError("the metric's weights are rotten")


class Weightless(Difference):
    """Reports before any work that construction is impossible."""

    @classmethod
    def check(cls, config):
        raise FileNotFoundError("no weights\nat all")


class Counting(Difference):
    """Measures the number of instances created in this process."""

    made: ClassVar[int] = 0

    def __init__(self, config):
        Counting.made += 1

    def __call__(self, sample):
        return Counting.made


class OnGPU(Counting):
    """Measures the number of instances created in this process, which must have one GPU."""

    made: ClassVar[int] = 0
    on_gpu: ClassVar[bool] = True

    def __init__(self, config):
        OnGPU.made += 1
        assert len(ray.get_runtime_context().get_accelerator_ids()["GPU"]) == 1
        assert int(os.environ["OMP_NUM_THREADS"]) == config.execution.torch_threads

    def __call__(self, sample):
        return OnGPU.made
