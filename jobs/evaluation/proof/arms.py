"""The arms of the experiment: what joins the biased clips in training."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from jobs.evaluation.proof.settings import MAIN_RATIO


@dataclass(frozen=True)
class Changed:
    """Changed versions of some training clips."""

    clips: Tensor
    """uint8 (k, 3, f, h, w), see `classifier.prepare`."""
    of: Tensor
    """int64 (k,): index of the training clip of each."""
    ok: Tensor
    """bool (k,): the verdict. All True for changes that no run has made."""


@dataclass(frozen=True)
class Material:
    """All clips of a setting: those of every bias, their changes, and the test sets."""

    clips: Tensor
    """uint8 (n, 3, f, h, w): the training clips of all biases."""
    labels: Tensor
    """int64 (n,)."""
    biased: Mapping[float, Tensor]
    """int64, by bias: indices of its training clips."""
    changed: Mapping[str, Changed]
    """By the name of a change."""
    tests: Mapping[str, tuple[Tensor, Tensor]]
    """Clips and labels by test set."""
    groups: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    """int64: label and nuisance of each clip of the test set `uncorrelated`, as one number."""


@dataclass(frozen=True)
class Arm:
    """What joins the biased clips: one version of each, by default unchanged."""

    change: str | None = None
    """Name of the change. None: the clips unchanged."""
    verdict: bool | None = None
    """Only edits with this verdict. None: all."""
    ratio: float = MAIN_RATIO
    """Number of joining clips per biased clip."""


BIASED = "biased only"
DUPLICATED = "duplicated"
ORACLE = "exact counterfactuals"
STR_MATCH = "STR-Match"
SDEDIT = "SDEdit"
UNFILTERED = "STR-Match, unfiltered"
REJECTED = "STR-Match, rejected"
ARMS: Mapping[str, Arm] = {
    BIASED: Arm(ratio=0.0),
    DUPLICATED: Arm(),
    "colour jitter": Arm("jitter"),
    "hue by exact mask": Arm("hue"),
    "paste by exact mask": Arm("paste"),
    SDEDIT: Arm("sdedit", verdict=True),
    "SDEdit, unfiltered": Arm("sdedit"),
    "λ = 0": Arm("lambda_0", verdict=True),
    "λ = 0, unfiltered": Arm("lambda_0"),
    STR_MATCH: Arm("str_match", verdict=True),
    UNFILTERED: Arm("str_match"),
    REJECTED: Arm("str_match", verdict=False),
    ORACLE: Arm("oracle"),
}
"""By name. Edits are filtered by the verdict of their run, unless the name says otherwise."""
AT_ALL_BIASES = (BIASED, DUPLICATED, SDEDIT, STR_MATCH, ORACLE)
"""Arms that are trained at every bias."""


def training_set(material: Material, bias: float, arm: Arm, seed: int) -> tuple[Tensor, Tensor]:
    """Returns the clips and labels of an arm: the biased clips, then those that join them.

    If fewer clips are fit to join than asked for, they are repeated; if more, they are drawn. If
    none is, biased clips are repeated.
    """
    chosen = material.biased[bias]
    clips, labels = material.clips[chosen], material.labels[chosen]
    joining, of = clips, labels
    if arm.change:
        changed = material.changed[arm.change]
        fit = torch.isin(changed.of, chosen)
        if arm.verdict is not None:
            fit &= changed.ok == arm.verdict
        if fit.any():
            joining, of = changed.clips[fit], material.labels[changed.of[fit]]
    order = torch.randperm(len(joining), generator=torch.Generator().manual_seed(seed))
    count = round(arm.ratio * len(clips))
    order = order.repeat(count // len(joining) + 1)[:count]
    return torch.cat([clips, joining[order]]), torch.cat([labels, of[order]])
