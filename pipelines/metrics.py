"""The metrics that come with the package: what makes each from a configuration.

Their modules are imported, and their weights loaded, where they are made: in a worker.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipelines.config.config import Config
from strmatch.backbones.loading import weights_folder
from strmatch.metrics.base import Metric
from strmatch.weights.errors import WeightsError
from strmatch.weights.locate import fetch, one_file
from strmatch.weights.pretrained import NEEDED, TRANSFORMERS, check_files, find_folder


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
        """The local place of its weights, fetched first if they are remote; None: it has none."""
        return None

    def __call__(self, config: Config) -> Metric:
        weights = self.weights(config)
        return self.metric() if weights is None else on_cpu(self.metric, weights)


def on_cpu(cls: Any, weights: Path) -> Any:
    """Load a model. Tasks without a GPU of their own see those of the machine all the same."""
    return cls(weights, device="cpu")


@dataclass(frozen=True)
class ByFolder(Maker):
    """Makes a metric of a folder of weights that a field of the section `measure` names."""

    field: str
    files: tuple[str, ...]
    """Patterns; of each the folder holds a file."""

    def check(self, config: Config) -> None:
        folder = getattr(config.measure, self.field)
        if folder is None:
            raise WeightsError(f"name a folder or URI with its weights: measure.{self.field}")
        if "://" not in folder and not Path(folder).is_dir():
            raise WeightsError(f"measure.{self.field}: there is no folder {folder}")
        check_files(folder, None, self.files)

    def weights(self, config: Config) -> Path | None:
        folder = getattr(config.measure, self.field)
        return fetch(folder) if "://" in folder else Path(folder)


class ByFile(ByFolder):
    """Makes a metric of the one file in such a folder."""

    def weights(self, config: Config) -> Path | None:
        folder = super().weights(config)
        assert folder
        (pattern,) = self.files
        return one_file(folder, pattern)


class Smoothness(ByFile):
    """Makes the metric frame_consistency: by optical flow, or by RIFE where there are weights."""

    def check(self, config: Config) -> None:
        if config.measure.rife:
            super().check(config)

    def __call__(self, config: Config) -> Metric:
        from strmatch.metrics.frame_consistency import FrameConsistency
        from strmatch.metrics.rife import RIFE

        weights = self.weights(config) if config.measure.rife else None
        return FrameConsistency(on_cpu(RIFE, weights)) if weights else FrameConsistency()


class ByRaft(ByFile):
    """Makes the metric motion_error_raft."""

    def check(self, config: Config) -> None:
        if find_spec("torchvision") is None:
            raise WeightsError("needs torchvision: pip install 'strmatch[raft]'")
        super().check(config)


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


frame_consistency = Smoothness("frame_consistency:FrameConsistency", "rife", ("flownet*",))
clip_similarity = ByClip("clip_similarity:ClipSimilarity")
background_difference = Maker("background:BackgroundDifference")
background_lpips = ByFolder("lpips:BackgroundLPIPS", "lpips", ("alexnet*", "alex.*"))
motion_error = Maker("motion_error:MotionError")
motion_error_raft = ByRaft("raft:RaftMotionError", "raft", ("raft_large*",))
