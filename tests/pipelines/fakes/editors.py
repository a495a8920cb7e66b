"""Editors for tests of their surroundings: exact, instant, and faulty."""

import ctypes
import os
import signal
import time
from typing import ClassVar

import numpy as np


class Invert:
    """Inverts the colours inside the mask."""

    stochastic = False

    def __init__(self, config):
        pass

    @classmethod
    def revision(cls, config):
        return "1"

    def invert(self, frames, source_prompt):
        return frames

    def edit(self, inversion, target_prompt, mask, seed):
        inside = np.ones(inversion.shape[:3], bool) if mask is None else mask
        return np.where(inside[..., None], 255 - inversion, inversion)


class Seeded(Invert):
    """Adds noise that depends on the seed."""

    stochastic = True

    def edit(self, inversion, target_prompt, mask, seed):
        noise = np.random.default_rng(seed).integers(0, 9, inversion.shape)
        return (inversion + noise).clip(0, 255).astype(np.uint8)


class Picky(Invert):
    """Rejects targets that name a dog."""

    def edit(self, inversion, target_prompt, mask, seed):
        if "dog" in target_prompt:
            raise ValueError("no dogs,\nplease")
        return super().edit(inversion, target_prompt, mask, seed)


class Slow(Invert):
    """Waits briefly, so that an edit can be interrupted."""

    seconds = 0.3

    def edit(self, inversion, target_prompt, mask, seed):
        time.sleep(self.seconds)
        return super().edit(inversion, target_prompt, mask, seed)


class Slower(Slow):
    """Waits long enough that a run spends most of its time editing."""

    seconds = 1.5


class Poisoned(Invert):
    """Kills its process, hangs or raises as the target demands. Edits for any other target."""

    def edit(self, inversion, target_prompt, mask, seed):
        if target_prompt == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if target_prompt == "hang":
            ctypes.PyDLL(None).sleep(600)  # holds the interpreter lock
        if target_prompt == "raise":
            raise RuntimeError("out of luck")
        return super().edit(inversion, target_prompt, mask, seed)


class Hopeless(Invert):
    """Fails every edit in the same way."""

    def edit(self, inversion, target_prompt, mask, seed):
        raise RuntimeError("no GPU any more")


class Careless(Invert):
    """Returns what the target names instead of frames of the clip's shape."""

    def edit(self, inversion, target_prompt, mask, seed):
        frames = super().edit(inversion, target_prompt, mask, seed)
        return {
            "frames": frames,
            "nan": np.where(frames > 0, np.nan, frames / 255),
            "infinite": np.full(frames.shape, np.inf, np.float16),
            "float": frames / 255,
            "integers": frames.astype(np.int64),
            "shorter": frames[1:],
            "smaller": frames[:, ::2, ::2],
            "transposed": frames.transpose(0, 3, 1, 2),
            "list": list(frames),
            "nothing": None,
        }[target_prompt]


class Broken(Invert):
    """Raises on construction."""

    def __init__(self, config):
        raise RuntimeError("the weights are rotten")


class Large(Invert):
    """Needs the lean mode. A target "huge" does not fit even then."""

    made: ClassVar[list[str]] = []

    def __init__(self, config):
        self.memory = config.execution.memory
        self.made.append(self.memory)

    def edit(self, inversion, target_prompt, mask, seed):
        import torch

        if self.memory == "normal" or target_prompt == "huge":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 7.00 GiB.")
        return super().edit(inversion, target_prompt, mask, seed)
