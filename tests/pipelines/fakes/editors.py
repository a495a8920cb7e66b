"""Editors for tests of their surroundings: exact, instant, and faulty."""

import ctypes
import hashlib
import json
import os
import signal
import time
import uuid
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipelines.config.options import Options


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


class Painter(Invert):
    """Paints each region in the grey that its prompt names, 0–255, and notes the prompts."""

    def edit_regions(self, inversion, target_prompt, regions, seed):
        self.prompts = [region.prompt for region in regions]
        painted = inversion.copy()
        for region in regions:
            painted[region.mask] = int(region.prompt)
        return painted


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


class Proportional(Invert):
    """Takes a time that is proportional to the number of frames."""

    seconds = 0.25

    def edit(self, inversion, target_prompt, mask, seed):
        time.sleep(self.seconds * len(inversion))
        return super().edit(inversion, target_prompt, mask, seed)


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


class Prompted(Invert):
    """Has options, and passes the source prompt on to its edits."""

    @classmethod
    def revision(cls, config, options):
        return "1"

    def invert(self, frames, source_prompt):
        return frames, source_prompt


class Signed(Prompted):
    """Fills the right half of a clip with the colour of its prompts, and notes every edit.

    A target with "never" fails.
    """

    class Options(Options):
        notes: str = ""
        """Folder in which every edit leaves a file."""

    def __init__(self, config, options):
        self.notes = Path(options.notes)

    def edit(self, inversion, target_prompt, mask, seed):
        frames, source_prompt = inversion
        made = {"source_prompt": source_prompt, "target_prompt": target_prompt}
        made["frames"] = hashlib.sha256(frames.tobytes()).hexdigest()
        (self.notes / uuid.uuid4().hex).write_text(json.dumps(made))
        if "never" in target_prompt:
            raise ValueError("never")
        edited = frames.copy()
        edited[:, :, frames.shape[2] // 2 :] = colour(source_prompt, target_prompt)
        return edited


class SlowlySigned(Signed):
    """Waits long enough to be interrupted."""

    def edit(self, inversion, target_prompt, mask, seed):
        time.sleep(0.5)
        return super().edit(inversion, target_prompt, mask, seed)


class Improving(Invert):
    """Returns the clip itself from the seed on that ends the target, and its negative before.

    A target "raise …" fails at its seed, and a target "kill …" kills the process.
    """

    stochastic = True

    def edit(self, inversion, target_prompt, mask, seed):
        words, needed = target_prompt.rsplit(" ", 1)
        if words == "raise" and seed == int(needed):
            raise RuntimeError("out of luck")
        if words == "kill" and seed == int(needed):
            os.kill(os.getpid(), signal.SIGKILL)
        return inversion if seed >= int(needed) else 255 - inversion


class SlowlyImproving(Improving):
    """Takes the seed from 0 to 4 from clip and target, and waits long enough to be interrupted."""

    def edit(self, inversion, target_prompt, mask, seed):
        time.sleep(0.7)
        needed = hashlib.sha256(target_prompt.encode() + inversion.tobytes()).digest()[0] % 5
        return super().edit(inversion, f"needs {needed}", mask, seed)


class Stepped(Improving):
    """Takes an option for the seed."""

    stochastic = False

    class Options(Options):
        step: int = 0
        """Stands for the seed."""

    def __init__(self, config, options):
        self.step = options.step

    @classmethod
    def revision(cls, config, options):
        return "1"

    def edit(self, inversion, target_prompt, mask, seed):
        return super().edit(inversion, target_prompt, mask, self.step)


def colour(source_prompt, target_prompt):
    """The colour of two prompts, uint8 (3,)."""
    digest = hashlib.sha256(f"{source_prompt}|{target_prompt}".encode()).digest()
    return np.frombuffer(digest[:3], np.uint8) // 2 + 64
