"""The trainings of the experiment, each with a small file of results, from which a stop resumes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from jobs.evaluation.pool import Pool, Task, default_processes
from jobs.evaluation.proof.arms import (
    ARMS,
    AT_ALL_BIASES,
    STR_MATCH,
    Arm,
    Material,
    training_set,
)
from jobs.evaluation.proof.classifier import predict, train
from jobs.evaluation.proof.settings import MAIN_BIAS, MAIN_RATIO, Setting, Sizes
from pipelines.storage import Storage


@dataclass(frozen=True)
class Training:
    """A training of one arm from one seed."""

    setting: str
    arm: str
    bias: float
    ratio: float
    seed: int

    @property
    def name(self) -> str:
        """The file of its results below the output."""
        place = list(ARMS).index(self.arm)
        return (
            f"trainings/{self.setting}/arm{place:02d}-bias{100 * self.bias:g}"
            f"-ratio{100 * self.ratio:g}-seed{self.seed}.json"
        )


def planned(setting: Setting, sizes: Sizes) -> list[Training]:
    """Returns the trainings of a setting: arms, biases and ratios, each from every seed."""
    asked = [(arm, MAIN_BIAS, ARMS[arm].ratio) for arm in ARMS]
    asked += [
        (arm, bias, ARMS[arm].ratio)
        for bias in sizes.biases
        for arm in AT_ALL_BIASES
        if bias != MAIN_BIAS
    ]
    asked += [
        (STR_MATCH, MAIN_BIAS, ratio) for ratio in sizes.ratios if ratio not in (0.0, MAIN_RATIO)
    ]
    return [Training(setting.name, *what, seed) for what in asked for seed in range(sizes.seeds)]


class Trainer:
    """Trains the arms of one setting, in one process."""

    def __init__(self, material: Material, classes: int, steps: int) -> None:
        self.material, self.classes, self.steps = material, classes, steps

    def __call__(self, training: Training) -> dict[str, str]:
        """Returns, by test set, a 1 for each clip whose label is right, and a 0 for each other."""
        material = self.material
        arm = Arm(ARMS[training.arm].change, ARMS[training.arm].verdict, training.ratio)
        clips, labels = training_set(material, training.bias, arm, training.seed)
        model = train(clips, labels, self.classes, self.steps, training.seed)
        return {
            name: "".join("01"[right] for right in (predict(model, shown) == truth).tolist())
            for name, (shown, truth) in material.tests.items()
        }


def train_all(
    material: Material, setting: Setting, sizes: Sizes, output: Storage
) -> Iterator[Training]:
    """Do the trainings without a file of results; yields each after its file is written."""
    left = [one for one in planned(setting, sizes) if not output.exists(one.name)]
    if not left:
        return
    make = partial(Trainer, material, len(setting.labels), sizes.steps)
    tasks: list[Task] = [("__call__", (training,)) for training in left]
    with Pool(make, min(default_processes(), len(left))) as pool:
        for training, correct in zip(left, pool.run(tasks), strict=True):
            output.write(training.name, json.dumps(correct).encode())
            yield training


def read_correct(
    output: Storage, trainings: Sequence[Training]
) -> Mapping[Training, Mapping[str, torch.Tensor]]:
    """Returns the results of trainings: by test set, whether each clip is right, bool (clips,)."""
    found = {}
    for training in trainings:
        stored = json.loads(output.read(training.name))
        found[training] = {
            name: torch.tensor([digit == "1" for digit in digits])
            for name, digits in stored.items()
        }
    return found
