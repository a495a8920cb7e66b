"""The trackers `sam2_hf` and `sam2`: a detector finds the subject, SAM2 follows it."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pipelines.config.config import Config
from pipelines.errors import Rejected
from strmatch.weights.locate import NEEDED, check_available

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
    needed: ClassVar[tuple[str, ...]]
    """Patterns of the files of the segmenter's weights."""

    def __init__(self, segmenter: "Segmenter", config: Config) -> None:
        from pipelines.trackers.detector import SubjectDetector

        self.segmenter = segmenter
        self.detector = SubjectDetector(config.annotate.detector)

    @classmethod
    def validate(cls, config: Config) -> None:
        """Raises ConfigError for a hub id without a commit."""
        config.annotate.sam2.refuse_unpinned("annotate.sam2")
        config.annotate.detector.refuse_unpinned("annotate.detector")

    @classmethod
    def check(cls, config: Config) -> None:
        """Check that the weights of both models are there, without fetching them.

        Raises:
            WeightsError: a file is missing.
        """
        for model, needed in (
            (config.annotate.sam2, cls.needed),
            (config.annotate.detector, NEEDED),
        ):
            check_available(model.weights, model.revision, needed)

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


class Sam2HF(SubjectTracker):
    """`sam2_hf`: SAM2 of transformers, weights in safetensors."""

    needed = NEEDED

    def __init__(self, config: Config) -> None:
        from pipelines.trackers.segmenter_transformers import HFSegmenter

        choice = config.annotate.sam2
        super().__init__(HFSegmenter.load(choice.weights, choice.revision), config)


class Sam2(SubjectTracker):
    """`sam2`: SAM2 of its authors' package, for their checkpoints."""

    needed = ("*.pt",)

    def __init__(self, config: Config) -> None:
        from pipelines.trackers.segmenter_package import PackageSegmenter

        choice = config.annotate.sam2
        super().__init__(PackageSegmenter.load(choice.weights, choice.revision), config)

    @classmethod
    def check(cls, config: Config) -> None:
        """Check that the package is installed and that the weights of both models are there.

        Raises:
            ConfigError: the package is not installed.
            WeightsError: a file is missing.
        """
        from pipelines.trackers.segmenter_package import find_package

        find_package()
        super().check(config)
