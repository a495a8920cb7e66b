"""The trainings with edits and without, each with a small file of results."""

import json
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch

from jobs.evaluation.pool import Pool, Task, default_processes
from jobs.evaluation.proof import classifier
from jobs.evaluation.proof.own_data.frozen import train_linear
from jobs.evaluation.proof.own_data.material import SMALL, Material
from pipelines.storage import Storage

ARMS = WITHOUT, WITH = "without", "with"
"""The clips alone, and the clips with their edits."""


class Trainer:
    """Trains one arm from one seed, in a process of its own."""

    def __init__(self, material: Material, features: str, steps: int) -> None:
        self.material, self.features, self.steps = material, features, steps

    def __call__(self, arm: str, seed: int) -> str:
        """Returns a 1 for each test clip whose label is right, and a 0 for each other."""
        material = self.material
        clips, labels = material.clips, material.clip_labels
        if arm == WITH:
            clips = torch.cat([clips, material.edits])
            labels = torch.cat([labels, material.edit_labels])
        if self.features == SMALL:
            model = classifier.train(clips, labels, len(material.classes), self.steps, seed)
            found = classifier.predict(model, material.tests)
        else:
            head = train_linear(clips, labels, len(material.classes), self.steps, seed)
            found = head(material.tests)
        return "".join("01"[right] for right in (found == material.test_labels).tolist())


def train_all(
    material: Material,
    features: str,
    steps: int,
    left: Sequence[tuple[str, int]],
    output: Storage,
) -> Iterator[str]:
    """Do trainings, each an arm and a seed; yields after the file of each is written."""
    if not left:
        return
    make = partial(Trainer, material, features, steps)
    tasks: list[Task] = [("__call__", which) for which in left]
    with Pool(make, min(default_processes(), len(left))) as pool:
        for which, correct in zip(left, pool.run(tasks), strict=True):
            output.write(result_file(*which), json.dumps(correct).encode())
            yield correct


def result_file(arm: str, seed: int) -> str:
    """The file of the results of a training below the output."""
    return f"trainings/{arm}-seed{seed}.json"


def read_correct(output: Storage, arm: str, seeds: int) -> np.ndarray:
    """Returns whether the trainings of an arm are right about each test clip, (seeds, clips)."""
    stored = [json.loads(output.read(result_file(arm, seed))) for seed in range(seeds)]
    return np.array([[digit == "1" for digit in digits] for digits in stored])
