"""All clips of a setting: rendered, changed by pixel tricks, edited by runs, and to test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from jobs.evaluation.miniature.cases import case_generator
from jobs.evaluation.proof import pixel_tricks
from jobs.evaluation.proof.arms import Changed, Material
from jobs.evaluation.proof.classifier import prepare
from jobs.evaluation.proof.edits import Edited
from jobs.evaluation.proof.settings import Setting, Sizes
from jobs.evaluation.proof.worlds import (
    TESTS,
    VALUES,
    Sample,
    draw_test,
    draw_training,
    render_all,
)
from strmatch.miniature.scenes import with_attributes


@dataclass(frozen=True)
class Clips:
    """The training clips of all biases, each rendered once."""

    setting: Setting
    samples: Sequence[Sample]
    biased: Mapping[float, Sequence[int]]
    """Indices of the training clips, by bias."""
    frames: np.ndarray = field(repr=False)
    """uint8 (n, f, H, W, 3)."""
    masks: np.ndarray = field(repr=False)
    """The exact masks, bool (n, f, H, W)."""


def draw_clips(setting: Setting, sizes: Sizes, seed: int) -> Clips:
    """Draw and render the training clips of a setting. Biases share most of them."""
    places: dict[Sample, int] = {}
    biased = {
        bias: [
            places.setdefault(sample, len(places))
            for sample in draw_training(setting, sizes.clips, bias, seed)
        ]
        for bias in sizes.biases
    }
    samples = list(places)
    return Clips(setting, samples, biased, *render_all([sample.scene for sample in samples]))


def gather(
    clips: Clips, edits: Mapping[str, Sequence[Edited]], sizes: Sizes, seed: int
) -> Material:
    """Join the clips, all their changes and the test sets, scaled for the classifier.

    Args:
        clips: of `draw_clips` with the same sizes and seed.
        edits: of `clips`, by editor.
    """
    setting, every = clips.setting, np.arange(len(clips.samples))
    tricks = {
        "jitter": pixel_tricks.jitter(clips.frames, seed),
        "hue": pixel_tricks.hue_shift(clips.frames, clips.masks, seed),
        "paste": pixel_tricks.paste(clips.frames, clips.masks, seed),
        "oracle": counterfactuals(setting, clips.samples, seed),
    }
    changed = {
        name: Changed(scaled(frames), torch.from_numpy(every), torch.ones(len(every)).bool())
        for name, frames in tricks.items()
    }
    changed |= {name: _edited(found) for name, found in edits.items() if found}
    tests = {kind: draw_test(setting, kind, sizes.test_clips, seed) for kind in TESTS}
    return Material(
        scaled(clips.frames),
        _labels(setting, clips.samples),
        {bias: torch.tensor(places) for bias, places in clips.biased.items()},
        changed,
        {
            kind: (scaled(render_all([s.scene for s in drawn])[0]), _labels(setting, drawn))
            for kind, drawn in tests.items()
        },
        torch.tensor(
            [
                setting.labels.index(sample.label) * len(setting.nuisances)
                + setting.nuisances.index(sample.nuisance)
                for sample in tests["uncorrelated"]
            ]
        ),
    )


def counterfactuals(setting: Setting, samples: Sequence[Sample], seed: int) -> np.ndarray:
    """Render every scene with another nuisance, drawn from all that an edit may ask for.

    Returns:
        uint8 (n, f, H, W, 3).
    """
    scenes = []
    for index, sample in enumerate(samples):
        others = [value for value in VALUES[setting.nuisance] if value != sample.nuisance]
        drawn = torch.randint(len(others), (), generator=case_generator(seed, -1 - index))
        scenes.append(with_attributes(sample.scene, background=others[int(drawn)]))
    return render_all(scenes)[0]


def scaled(frames: np.ndarray) -> Tensor:
    """Scales clips, uint8 (n, f, H, W, 3), for the classifier."""
    return torch.stack([prepare(clip) for clip in frames])


def _edited(edits: Sequence[Edited]) -> Changed:
    return Changed(
        scaled(np.stack([edit.frames for edit in edits])),
        torch.tensor([edit.clip for edit in edits]),
        torch.tensor([edit.ok for edit in edits]),
    )


def _labels(setting: Setting, samples: Sequence[Sample]) -> Tensor:
    return torch.tensor([setting.labels.index(sample.label) for sample in samples])
