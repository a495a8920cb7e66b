"""Biased training sets and test sets of the small world."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from jobs.evaluation.miniature.cases import case_generator
from jobs.evaluation.proof.settings import Setting
from strmatch.miniature.scenes import Scene, attributes, scene_of
from strmatch.miniature.splits import Attributes
from strmatch.miniature.vocabulary import BACKGROUNDS, COLOURS, CORE_MOTIONS, SHAPES
from strmatch.miniature.world import render

Test = Literal["aligned", "uncorrelated", "conflicting"]
TESTS: tuple[Test, ...] = ("aligned", "uncorrelated", "conflicting")
VALUES: dict[str, tuple[str, ...]] = {
    "shape": SHAPES,
    "colour": tuple(COLOURS),
    "motion": CORE_MOTIONS,
    "background": tuple(BACKGROUNDS),
}
AT_ONCE = 32
"""Number of scenes that are rendered at the same time."""
STRIDE = 7
"""Step between the clips whose nuisance conflicts; no divisor of a number of training clips."""


@dataclass(frozen=True)
class Sample:
    """A scene with its label and nuisance."""

    scene: Scene
    label: str
    nuisance: str


def draw_training(setting: Setting, clips: int, bias: float, seed: int) -> list[Sample]:
    """Draw a training set. A share `bias` of the clips, rounded, has the nuisance of its label.

    Labels take turns. Sets of one seed and different biases differ only in the nuisance of those
    clips whose place in the draw is between the two biases, so that most edits serve all biases.
    """
    samples = []
    for index in range(clips):
        generator = case_generator(seed, 1000 + index)
        label = setting.labels[index % len(setting.labels)]
        kind: Test = "aligned" if _place(index, clips) < bias else "conflicting"
        samples.append(_sample(setting, label, kind, generator))
    return samples


def draw_test(setting: Setting, kind: Test, clips: int, seed: int) -> list[Sample]:
    """Draw a test set.

    Args:
        kind: aligned: every nuisance is that of its label. conflicting: every nuisance is that of
            another label. uncorrelated: nuisances are independent of labels.
    """
    return [
        _sample(
            setting,
            setting.labels[index % len(setting.labels)],
            kind,
            case_generator(seed, 1_000_000 * (2 + TESTS.index(kind)) + index),
        )
        for index in range(clips)
    ]


def _place(index: int, clips: int) -> float:
    """Position of a clip in [0, 1): evenly spaced, in an order that spreads over the labels."""
    return (STRIDE * index % clips + 0.5) / clips


def _sample(setting: Setting, label: str, kind: Test, generator: torch.Generator) -> Sample:
    def choice(values: tuple[str, ...]) -> str:
        return values[int(torch.randint(len(values), (), generator=generator))]

    drawn = {name: choice(VALUES[name]) for name in Attributes._fields}
    paired = dict(setting.pairs)[label]
    others = tuple(value for value in setting.nuisances if value != paired)
    nuisance = {
        "aligned": paired,
        "uncorrelated": choice(setting.nuisances),
        "conflicting": choice(others),
    }[kind]
    scene = scene_of(
        Attributes(**drawn | {setting.label: label, setting.nuisance: nuisance}), generator
    )
    return Sample(scene, label, getattr(attributes(scene), setting.nuisance))


def render_all(scenes: list[Scene]) -> tuple[np.ndarray, np.ndarray]:
    """Returns frames, uint8 (n, f, H, W, 3), and exact masks, bool (n, f, H, W)."""
    parts = [render(scenes[at : at + AT_ONCE]) for at in range(0, len(scenes), AT_ONCE)]
    frames = torch.cat([part.frames for part in parts]).numpy()
    return frames, torch.cat([part.masks[:, 0] for part in parts]).numpy()
