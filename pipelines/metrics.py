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

    def weights(self, config: Config) -> Path | None:
        """Where its weights lie, fetched first if they are remote; None: it has none."""
        return None

    def __call__(self, config: Config) -> Metric:
        weights = self.weights(config)
        cls: Any = self.metric
        # Tasks without a GPU of their own see those of the machine all the same.
        return cls() if weights is None else cls(weights, device="cpu")


@dataclass(frozen=True)
class ByFolder(Maker):
    """Makes a metric of the folder that a field of the section `measure` names."""

    field: str
    needed: str = "*"
    """Pattern of a file that has to be there."""

    def check(self, config: Config) -> None:
        weights = getattr(config.measure, self.field)
        if weights is None:
            raise WeightsError(f"name a folder or URI with its weights: measure.{self.field}")
        if "://" not in weights and not Path(weights).is_dir():
            raise WeightsError(f"measure.{self.field}: there is no folder {weights}")
        check_files(weights, None, (self.needed,))

    def weights(self, config: Config) -> Path:
        weights = getattr(config.measure, self.field)
        return fetch(weights) if "://" in weights else Path(weights)


class ByFile(ByFolder):
    """Makes a metric of the file in such a folder that has the needed name."""

    def weights(self, config: Config) -> Path:
        return min(super().weights(config).glob(self.needed))


@dataclass(frozen=True)
class ByClip(Maker):
    """Makes a metric of the CLIP model `measure.clip`."""

    def check(self, config: Config) -> None:
        model = config.measure.clip
        if model.weights != "miniature":
            check_files(model.weights, model.revision, NEEDED)

    def weights(self, config: Config) -> Path:
        model = config.measure.clip
        if model.weights == "miniature":
            return weights_folder("miniature") / "clip"
        return find_folder(model.weights, model.revision, TRANSFORMERS)


frame_consistency = Maker("frame_consistency:FrameConsistency")
frame_consistency_rife = ByFile("rife:RIFEFrameConsistency", "rife", "flownet.*")
clip_similarity = ByClip("clip_similarity:ClipSimilarity")
background_difference = Maker("background:BackgroundDifference")
background_lpips = ByFolder("lpips:BackgroundLPIPS", "lpips")
motion_error = Maker("motion_error:MotionError")
motion_error_raft = ByFile("raft:RaftMotionError", "raft", "raft_large*")
