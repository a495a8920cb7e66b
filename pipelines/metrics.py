"""The metrics that come with the package: what makes each from a configuration.

Their modules are imported, and their weights loaded, where they are made: in a worker.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pipelines.config import Config
from pipelines.pretrained import NEEDED, TRANSFORMERS, check_files, find_folder
from strmatch.backbones.loading import WeightsError, fetch, weights_folder
from strmatch.metrics.base import Metric


@dataclass(frozen=True)
class Maker:
    """Makes a metric that needs no weights."""

    path: str
    """Its module and class, below strmatch.metrics."""

    @property
    def metric(self) -> type[Metric]:
        """The class."""
        module, _, name = self.path.partition(":")
        return getattr(import_module(f"strmatch.metrics.{module}"), name)

    def check(self, config: Config) -> None:
        """Look whether its weights are there, without fetching them.

        Raises:
            WeightsError: they are not.
        """

    def folder(self, config: Config) -> Path | None:
        """The local folder of its weights, fetched first if they are remote; None: it has none."""
        return None

    def __call__(self, config: Config) -> Metric:
        folder = self.folder(config)
        cls: Any = self.metric
        # Tasks without a GPU of their own see those of the machine all the same.
        return cls() if folder is None else cls(folder, device="cpu")


@dataclass(frozen=True)
class ByWeights(Maker):
    """Makes a metric of weights that a field of the section `measure` names."""

    field: str

    def check(self, config: Config) -> None:
        weights = getattr(config.measure, self.field)
        if weights is None:
            raise WeightsError(f"name a folder or URI with its weights: measure.{self.field}")
        if "://" not in weights and not Path(weights).is_dir():
            raise WeightsError(f"measure.{self.field}: there is no folder {weights}")
        check_files(weights, None, ("*",))

    def folder(self, config: Config) -> Path:
        weights = getattr(config.measure, self.field)
        return fetch(weights) if "://" in weights else Path(weights)


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


frame_consistency = Maker("frame_consistency:FrameConsistency")
clip_similarity = ByClip("clip_similarity:ClipSimilarity")
background_difference = Maker("background:BackgroundDifference")
background_lpips = ByWeights("lpips:BackgroundLPIPS", "lpips")
motion_error = Maker("motion_error:MotionError")
motion_error_raft = ByWeights("raft:RaftMotionError", "raft")
