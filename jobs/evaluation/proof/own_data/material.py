"""What the models see of all clips of an experiment, and the classes of these clips."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jobs.evaluation.proof import classifier
from jobs.evaluation.proof.own_data.clips import Labelled, View, read_test, read_training
from jobs.evaluation.proof.own_data.frozen import FrozenFeatures
from pipelines.errors import InputError
from pipelines.exports.edits import PublishedDataset

SMALL = "small"
"""The features of the small classifier: all of it is trained."""


@dataclass(frozen=True)
class Material:
    """What the models see of all clips, (n, …), and the number of the class of each, int64 (n,)."""

    classes: list[str]
    clips: Tensor
    clip_labels: Tensor
    edits: Tensor
    edit_labels: Tensor
    tests: Tensor
    test_labels: Tensor

    def as_bytes(self) -> bytes:
        """Returns the material as a file of numpy."""
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(self).items()}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()


def from_bytes(data: bytes) -> Material:
    """Returns the material of such a file."""
    arrays = dict(np.load(io.BytesIO(data)))
    classes = arrays.pop("classes").tolist()
    return Material(classes, **{n: torch.from_numpy(a) for n, a in arrays.items()})


def gather(dataset: PublishedDataset, label: str, test: str, features: str) -> Material:
    """Read the clips and edits of a dataset, and those of a test set.

    Args:
        dataset, label, test: see `read_training` and `read_test`.
        features: `SMALL`, or weights for `FrozenFeatures`.

    Raises:
        InputError: the labels do not make an experiment.
    """
    view: View = classifier.prepare if features == SMALL else FrozenFeatures(features)
    training = read_training(dataset, label, view)
    classes = sorted(set(training.clips.labels))
    if len(classes) < 2:
        raise InputError(
            f"{dataset.output}: all clips have the label {classes[0]}: a classifier needs two"
        )
    tests = read_test(test, label, view, training)
    if not tests.labels:
        raise InputError(f"--test {test} has no clips")
    if unknown := sorted(set(tests.labels) - set(classes)):
        raise InputError(
            f"--test {test}: label {unknown[0]} is in no clip of {dataset.output}, which has "
            f"{', '.join(classes)}"
        )
    parts = (training.clips, training.edits, tests)
    tensors = [tensor for part in parts for tensor in _tensors(part, classes)]
    return Material(classes, *tensors)


def _tensors(clips: Labelled, classes: list[str]) -> tuple[Tensor, Tensor]:
    numbers = [classes.index(label) for label in clips.labels]
    return torch.stack(clips.views), torch.tensor(numbers)
