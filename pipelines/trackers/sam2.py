"""The trackers `sam2_hf` and `sam2`: a detector says where the subject is, SAM2 follows it."""

from typing import ClassVar

import numpy as np

from pipelines.config.config import Config
from pipelines.errors import Rejected
from pipelines.trackers.detector import SubjectDetector
from pipelines.trackers.segmenter import Segmenter
from pipelines.trackers.segmenter_package import PackageSegmenter, find_package
from pipelines.trackers.segmenter_transformers import HFSegmenter
from strmatch.weights.pretrained import NEEDED, check_files


class SubjectTracker:
    """The mask of what a clip's words call its subject.

    Args:
        segmenter: follows the subject from the frame in which the detector sees it best.
        config: for its section annotate.detector.

    Raises:
        WeightsError: the detector's weights cannot be found, or do not fit.
    """

    on_gpu: ClassVar[bool] = True
    needed: ClassVar[tuple[str, ...]]
    """Files of the segmenter's weights."""

    def __init__(self, segmenter: Segmenter, config: Config) -> None:
        self.segmenter = segmenter
        self.detector = SubjectDetector(config.annotate.detector)

    @classmethod
    def check(cls, config: Config) -> None:
        """Look whether the weights of both models are there.

        Raises:
            WeightsError: they are not.
        """
        for model, needed in (
            (config.annotate.sam2, cls.needed),
            (config.annotate.detector, NEEDED),
        ):
            check_files(model.weights, model.revision, needed)

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
    needed = NEEDED

    def __init__(self, config: Config) -> None:
        choice = config.annotate.sam2
        super().__init__(HFSegmenter.load(choice.weights, choice.revision), config)


class Sam2(SubjectTracker):
    needed = PackageSegmenter.FILES

    @classmethod
    def check(cls, config: Config) -> None:
        find_package()
        super().check(config)

    def __init__(self, config: Config) -> None:
        choice = config.annotate.sam2
        super().__init__(PackageSegmenter.load(choice.weights, choice.revision), config)
