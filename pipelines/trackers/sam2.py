"""The trackers `sam2_hf` and `sam2`: a detector finds the subject, SAM2 follows it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pipelines.config.config import Config
from pipelines.errors import Rejected
from pipelines.trackers.base import Found
from strmatch.weights.source import Source

if TYPE_CHECKING:
    from pipelines.trackers.segmenter import Segmenter


class SubjectTracker:
    """Follows what the words of the subject name.

    Args:
        segmenter: follows the subject from the frame in which the detector sees it best.
        config: of which `annotate.detector` is read.

    Raises:
        WeightsError: the detector's weights cannot be found, or do not fit.
    """

    on_gpu: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("annotate.sam2", "annotate.detector")

    def __init__(self, segmenter: "Segmenter", config: Config) -> None:
        from pipelines.trackers.detector import SubjectDetector

        self.segmenter = segmenter
        self.detector = SubjectDetector(config.annotate.detector, config.execution.access)

    @classmethod
    def validate(cls, config: Config) -> None:
        """Raises ConfigError for a hub id without a commit."""
        config.annotate.sam2.refuse_unpinned("annotate.sam2")
        config.annotate.detector.refuse_unpinned("annotate.detector")

    @classmethod
    def segmenter_source(cls, config: Config) -> Source:
        """The weights of SAM2."""
        return config.annotate.sam2.source()

    @classmethod
    def models(cls, config: Config) -> list[Source]:
        """The weights of SAM2 and of the detector."""
        return [cls.segmenter_source(config), config.annotate.detector.source()]

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray:
        """See `Tracker`.

        Raises:
            Rejected: `NoSubject` or `SubjectNotFound`.
        """
        if subject is None:
            raise Rejected(
                "NoSubject",
                "no words say what to follow; give the manifest a subject, or take a tracker "
                "that needs none (annotate.tracker=motion)",
            )
        seen = self.detector.find(frames, subject)
        return self.segmenter.track(frames, seen.box, seen.frame)

    def objects(self, frames: np.ndarray, phrases: Sequence[str]) -> list[Found]:
        """See `Tracker`. The detector seeks each phrase, and SAM2 follows each object.

        Raises:
            Rejected: `SubjectNotFound`.
        """
        return [
            Found(seen.words, self.segmenter.track(frames, seen.box, seen.frame), seen.score)
            for seen in self.detector.find_all(frames, phrases)
        ]


class Sam2HF(SubjectTracker):
    """`sam2_hf`: SAM2 of transformers, weights in safetensors."""

    def __init__(self, config: Config) -> None:
        from pipelines.trackers.segmenter_transformers import HFSegmenter

        source = self.segmenter_source(config)
        super().__init__(HFSegmenter.load(source, config.execution.access), config)


class Sam2(SubjectTracker):
    """`sam2`: SAM2 of its authors' package, for their checkpoints."""

    def __init__(self, config: Config) -> None:
        from pipelines.trackers.segmenter_package import PackageSegmenter

        source = self.segmenter_source(config)
        super().__init__(PackageSegmenter.load(source, config.execution.access), config)

    @classmethod
    def segmenter_source(cls, config: Config) -> Source:
        return config.annotate.sam2.source(files=("*.pt",), needed=("*.pt",))

    @classmethod
    def check(cls, config: Config) -> None:
        """Raises ConfigError if the package is not installed."""
        from pipelines.trackers.segmenter_package import find_package

        find_package()
