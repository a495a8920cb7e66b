"""The metrics that come with the package: what makes each from a configuration.

Their modules are imported, and their weights loaded, where they are made: in a worker.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from pipelines.config import Config
from pipelines.pretrained import NEEDED, TRANSFORMERS, check_files, find_folder
from strmatch.backbones.loading import WeightsError, fetch, weights_folder
from strmatch.metrics.base import Metric


@dataclass(frozen=True)
class Maker:
    """Makes a metric that needs no weights."""

    path: str
    """Its module and class, below strmatch.metrics."""
    meaning: str
    """What it measures, its unit, and which way is better."""

    def check(self, config: Config) -> None:
        """Look whether its weights are there, without fetching them.

        Raises:
            WeightsError: they are not.
        """

    def folder(self, config: Config) -> Path | None:
        """The local folder of its weights, fetched first if they are remote; None: it has none."""
        return None

    def __call__(self, config: Config) -> Metric:
        module, _, name = self.path.partition(":")
        cls = getattr(import_module(f"strmatch.metrics.{module}"), name)
        folder = self.folder(config)
        return cls() if folder is None else cls(folder)


@dataclass(frozen=True)
class ByWeights(Maker):
    """Makes a metric of weights that a field of the section `measure` names."""

    field: str
    optional: bool = False
    """Whether it does something else without them."""

    def check(self, config: Config) -> None:
        weights = getattr(config.measure, self.field)
        if weights is None and not self.optional:
            raise WeightsError(f"name a folder or URI with its weights: measure.{self.field}")
        if weights and "://" not in weights and not Path(weights).is_dir():
            raise WeightsError(f"measure.{self.field}: there is no folder {weights}")
        if weights:
            check_files(weights, None, ("*",))

    def folder(self, config: Config) -> Path | None:
        weights = getattr(config.measure, self.field)
        return fetch(weights) if weights and "://" in weights else weights and Path(weights)


@dataclass(frozen=True)
class ByClip(Maker):
    """Makes a metric of the CLIP model `measure.clip`."""

    def check(self, config: Config) -> None:
        model = config.measure.clip
        if model.weights != "miniature":
            check_files(model.weights, model.revision, NEEDED)

    def folder(self, config: Config) -> Path:
        model = config.measure.clip
        if model.weights == "miniature":
            return weights_folder("miniature") / "clip"
        return find_folder(model.weights, model.revision, TRANSFORMERS)


frame_consistency = ByWeights(
    "frame_consistency:FrameConsistency",
    "how well frames are foretold by those beside them, VBench's motion smoothness; from 0 to 1, "
    "more is better",
    "interpolator",
    optional=True,
)
clip_similarity = ByClip(
    "clip_similarity:ClipSimilarity",
    "cosine of CLIP's embeddings of target prompt and frames, their mean; more is better",
)
background_difference = Maker(
    "background:BackgroundDifference",
    "how much the background differs from the source's, without learned weights; less is better",
)
background_lpips = ByWeights(
    "lpips:BackgroundLPIPS", "LPIPS of the background to the source's; less is better", "lpips"
)
motion_error = Maker(
    "motion_error:MotionError",
    "how far the optical flow (DIS) is from the source's, in pixels a frame; less is better",
)
motion_error_raft = ByWeights(
    "raft:RaftMotionError",
    "how far the optical flow (RAFT) is from the source's, in pixels a frame; less is better",
    "raft",
)
