"""The two settings of the experiment and its sizes, fixed before any arm with edits was trained.

In every setting the label of most training clips goes with a nuisance that has nothing to do with
the label. A model that learns the nuisance instead fails where the two disagree. Edits change the
nuisance and keep the label.

Only rendered clips were trained on before, to see that a setting is not too easy. With the figure
as the nuisance of a motion, biased training alone was right on 91 to 100 % of conflicting clips: at
this size a figure is harder to see than a motion, hence no shortcut. The background took its place,
as in the tests SCUBA of Li et al. 2023 (StillMix): 8 % after biased training, 100 % with exact
counterfactuals (80 clips, 300 steps). Of the label `figure`, 3 % and 98 % (160 clips, 600 steps).
"""

from dataclasses import dataclass

from strmatch.miniature.splits import Attributes

BIASES = (0.90, 0.95, 0.99)
"""Shares ρ of the training clips whose nuisance is that of their label."""
MAIN_BIAS = 0.95
"""The ρ of the arms that are measured at one bias only."""
RATIOS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Numbers of edits per training clip. Above 1, edits are repeated."""
MAIN_RATIO = 1.0
"""The ratio of all arms but those that vary the ratio."""


@dataclass(frozen=True)
class Setting:
    """A label, a nuisance, and the edits that change the nuisance."""

    name: str
    label: str
    """Attribute of a clip that the classifier learns, a field of `Attributes`."""
    nuisance: str
    """Attribute that most training clips of a label share."""
    pairs: tuple[tuple[str, str], ...]
    """Each label with its nuisance in biased clips."""
    target_kind: str
    """Kind of the target prompts that change the nuisance, see `annotate.target_kinds`."""

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for label, _ in self.pairs)

    @property
    def nuisances(self) -> tuple[str, ...]:
        return tuple(nuisance for _, nuisance in self.pairs)


SETTINGS = (
    Setting(
        name="motion",
        label="motion",
        nuisance="background",
        pairs=(("left", "bricks"), ("right", "stripes"), ("up", "checks"), ("down", "dots")),
        target_kind="background",
    ),
    Setting(
        name="figure",
        label="shape",
        nuisance="background",
        pairs=(
            ("circle", "bricks"),
            ("square", "stripes"),
            ("triangle", "checks"),
            ("star", "dots"),
        ),
        target_kind="background",
    ),
)
"""The label `motion`, and the label `figure`, each with the background as nuisance."""
assert all({one.label, one.nuisance} <= set(Attributes._fields) for one in SETTINGS)


@dataclass(frozen=True)
class Sizes:
    """How much is rendered, edited and trained."""

    clips: int
    """Training clips of a setting at one bias."""
    test_clips: int
    """Clips of each test set."""
    seeds: int
    """Trainings of each arm."""
    steps: int
    """Gradient steps of a training, equal for all arms."""
    biases: tuple[float, ...] = BIASES
    ratios: tuple[float, ...] = RATIOS


FULL = Sizes(clips=160, test_clips=240, seeds=5, steps=600)
QUICK = Sizes(clips=40, test_clips=240, seeds=3, steps=300, biases=(MAIN_BIAS,))
"""Few clips and seeds for a first look, hence wide intervals."""
