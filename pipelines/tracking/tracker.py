"""The trackers `sam2_hf` and `sam2`: a detector says where the subject is, SAM2 follows it."""

import numpy as np

from pipelines.config import Config
from pipelines.errors import Rejected
from pipelines.tracking.detect import SubjectDetector
from pipelines.tracking.sam2_hf import HFSegmenter
from pipelines.tracking.sam2_package import PackageSegmenter
from pipelines.tracking.segmenter import Segmenter


class SubjectTracker:
    """The mask of what a clip's words call its subject.

    Args:
        segmenter: follows the subject from the frame in which the detector sees it best.
        config: for its section annotate.detector.

    Raises:
        WeightsError: the detector's weights cannot be found, or do not fit.
    """

    def __init__(self, segmenter: Segmenter, config: Config) -> None:
        self.segmenter = segmenter
        self.detector = SubjectDetector(config.annotate.detector)

    def __call__(self, frames: np.ndarray, subject: str | None) -> np.ndarray:
        """Frames uint8 (f, H, W, 3) to a mask bool (f, H, W).

        Raises:
            Rejected: NoSubject or SubjectNotFound.
        """
        if subject is None:
            raise Rejected(
                "NoSubject",
                "no words say what to follow; give the manifest a subject, or take a tracker "
                "that needs none (annotate.tracker=motion)",
            )
        seen = self.detector.find(frames, subject)
        return self.segmenter.track(frames, [seen.box], seen.frame).masks[0]


class Sam2HF(SubjectTracker):
    def __init__(self, config: Config) -> None:
        choice = config.annotate.sam2
        super().__init__(HFSegmenter.load(choice.weights, choice.revision), config)


class Sam2(SubjectTracker):
    def __init__(self, config: Config) -> None:
        choice = config.annotate.sam2
        super().__init__(PackageSegmenter.load(choice.weights, choice.revision), config)
